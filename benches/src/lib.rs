//! Measurements of emotrace, one file per question under `benches/`.
