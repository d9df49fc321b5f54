// max_len: 512
#![no_main]
use emotrace_core::formats::ntfs_boot::BootSector;
emotrace_fuzz::target!(|data| drop(BootSector::parse(data, u64::MAX).map(|boot| boot.size())));
