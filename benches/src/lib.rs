//! Measurements of emotrace, one file per question under `benches/`, and the damage campaign.

pub mod damage;
