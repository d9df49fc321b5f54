// max_len: 40960
#![no_main]
use emotrace_fuzz::{crc32, halves};
// The input is the begin and the end of a disk; an input of odd length has the checksums of both headers put right.
emotrace_fuzz::target!(|data| {
    let (begin, end) = halves(data);
    let mut disk = vec![0; 160 << 10];
    disk[..begin.len()].copy_from_slice(begin);
    let last = disk.len() - end.len();
    disk[last..].copy_from_slice(end);
    for at in [512, disk.len() - 512].into_iter().filter(|_| data.len() % 2 == 1) {
        let entries = u64::from_le_bytes(disk[at + 72..at + 80].try_into().expect("eight bytes"));
        let table = usize::try_from(entries).ok().and_then(|lba| disk.get(lba.checked_mul(512)?..)?.get(..16384));
        let table = table.map(crc32).unwrap_or_default();
        disk[at + 88..at + 92].copy_from_slice(&table.to_le_bytes());
        disk[at + 16..at + 20].fill(0);
        let sum = crc32(&disk[at..at + 92]);
        disk[at + 16..at + 20].copy_from_slice(&sum.to_le_bytes());
    }
    drop(emotrace_core::volume::read_layout(&disk));
});
