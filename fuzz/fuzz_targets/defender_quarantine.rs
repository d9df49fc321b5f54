// max_len: 8192
#![no_main]
use emotrace_core::formats::defender_quarantine;
emotrace_fuzz::target!(|data| {
    // Damage of what is encrypted reaches the fields only if it is encrypted again.
    let _ = (defender_quarantine::read(data), defender_quarantine::read(&defender_quarantine::crypt(data)));
});
