//! How far a run has got.

/// Is told how far a run has got. Called from many threads.
pub trait Progress: Sync {
    /// A phase begins; it has `total` steps.
    fn phase(&self, name: &'static str, total: u64);
    /// Some steps of the phase are done.
    fn advance(&self, steps: u64);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn phase(&self, _name: &'static str, _total: u64) {}
    fn advance(&self, _steps: u64) {}
}
