//! Reads disk images of Windows hosts, offline and read-only, and turns what they hold into one ordered timeline.
//!
//! Evidence flows one way, once: image → volume → files → artifacts → events → timeline → findings → verdict. See
//! `ARCHITECTURE.md`.
//!
//! # Getting started
//!
//! 1. Open evidence: an image (raw, split raw or E01), a folder with a copy of a Windows tree, or single artifact files.
//! 2. Look at what it is: its volumes and the installed system.
//! 3. Stream its events, in the order of the timeline, into a [`model::Sink`].
//!
//! ```
//! use emotrace_core::model::Collect;
//! use emotrace_core::pipeline::{Evidence, NoProgress, Options, stream};
//!
//! let evidence = Evidence::open(&["../testdata/case/case.E01".into()])?;
//! assert_eq!(evidence.volumes[0].files.facts().kind, "NTFS 3.1");
//! assert_eq!(evidence.hosts[0].computer_name.as_deref(), Some("KEIRI-PC07"));
//!
//! let mut found = Collect::default();
//! stream(&evidence, &Options::default(), &NoProgress, &mut found)?;
//! assert!(found.events.iter().any(|event| event.message().starts_with("EXCEL.EXE was run")));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What can't be read is no error: it reaches the sink as a [`model::ParseIssue`], and [`pipeline::Extraction`] counts it.

pub mod artifacts;
pub mod bytes;
pub mod detect;
pub mod export;
pub mod filesystem;
pub mod formats;
pub mod model;
pub mod pipeline;
pub mod source;
pub mod timeline;
pub mod volume;
