//! The only place where a panic of a third party's decoder is caught.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs code that a third party's decoder may make panic. Nothing that it touched is used afterwards except sinks, whose
/// state is whole after every call.
pub(super) fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| format!("the decoder gave up: {}", panic_text(&*panic)))
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given")
}
