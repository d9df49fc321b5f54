//! The one place where a panic of a third party's decoder is caught.
//!
//! Each decoder calls its external crate through [`guarded`], so that whoever uses `formats` alone is guarded too. The
//! pipeline runs whole parsers through it as the last net. `SHORTCOMINGS.md` lists what is known to be caught here.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs code that a third party's decoder may make panic, and gives its message if it does. Nothing that it touched may be
/// used afterwards, except what is whole after every call of it.
pub(crate) fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| format!("the decoder gave up: {}", panic_text(&*panic)))
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message() {
        assert_eq!(guarded(|| 7), Ok(7));
        assert_eq!(
            guarded(|| panic!("no such {}", "cell")),
            Err::<(), _>("the decoder gave up: no such cell".to_owned())
        );
        assert_eq!(guarded(|| panic!("plain")), Err::<(), _>("the decoder gave up: plain".to_owned()));
    }
}
