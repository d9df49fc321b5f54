//! What the fuzz targets share: a panic hook that tells our own faults from guarded ones, a limit on memory, and evidence
//! made out of a sound base and the fuzzer's patches.

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use emotrace_core::bytes::{ReadAt, read_exact_at};
use emotrace_core::source::Source;

#[doc(hidden)]
pub use libfuzzer_sys;

/// One target: the body gets the input as a byte slice.
#[macro_export]
macro_rules! target {
    (|$data:ident| $body:expr) => {
        $crate::libfuzzer_sys::fuzz_target!(init: $crate::prepare(), |$data: &[u8]| { $body });
    };
}

/// Most bytes that may be asked for and not yet given back. A decoder that believes a forged length reaches it at once,
/// also where the system would hand out zeros that nobody touches.
const MOST_BYTES: usize = 384 << 20;

struct Limited;

static HELD: AtomicUsize = AtomicUsize::new(0);

fn take(bytes: usize) {
    if HELD.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) > MOST_BYTES {
        eprintln!("over-allocation: {bytes} bytes more than the limit of {MOST_BYTES} allows");
        std::process::abort();
    }
}

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Limited {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        take(size);
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Limited = Limited;

/// libFuzzer ends the process at the first panic, guarded or not. Here a panic in our own code does so; one in another
/// crate may be caught by the guard of the decoder, and is a find only if it gets past it.
pub fn prepare() {
    std::panic::set_hook(Box::new(|panic| {
        let ours = panic.location().is_none_or(|place| !place.file().contains("/registry/src/"));
        if ours {
            eprintln!("{panic}\n{}", std::backtrace::Backtrace::force_capture());
            std::process::abort();
        }
    }));
}

/// Reads a source to its end, or the first and last bytes of one that claims to be long.
pub fn read_some(source: &dyn ReadAt) {
    let mut buffer = vec![0; 64 << 10];
    let mut at = 0;
    while at < source.len().min(256 << 10) {
        match source.read_at(at, &mut buffer) {
            Ok(n) if n > 0 => at += n as u64,
            _ => break,
        }
    }
    let _ = source.read_at(source.len().saturating_sub(100), &mut buffer);
    let _ = source.read_at(source.len(), &mut buffer);
    let _ = source.read_at(u64::MAX, &mut buffer);
}

/// Writes files of one input into a folder of their own and gives their paths.
pub fn scratch(files: &[(&str, &[u8])]) -> Vec<PathBuf> {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("emotrace-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for inputs");
        folder
    });
    let write = |(name, bytes): &(&str, &[u8])| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).expect("an input in the folder for inputs");
        path
    };
    files.iter().map(write).collect()
}

/// The first half of an input, and the second.
pub fn halves(data: &[u8]) -> (&[u8], &[u8]) {
    data.split_at(data.len() / 2)
}

/// Takes two bytes off an input.
pub fn number<'d>(data: &mut &'d [u8]) -> Option<usize> {
    let (head, rest) = data.split_first_chunk::<2>()?;
    *data = rest;
    Some(u16::from_le_bytes(*head).into())
}

/// The image of `testdata/case` as it lies there.
pub static CASE: &[u8] = include_bytes!("../../testdata/case/case.E01");

/// The media in the image of `testdata/case`.
pub fn case_media() -> &'static [u8] {
    static MEDIA: OnceLock<Vec<u8>> = OnceLock::new();
    MEDIA.get_or_init(|| {
        let source = Source::open(&scratch(&[("case.E01", CASE)])).expect("the case opens");
        let mut media = vec![0; source.len() as usize];
        read_exact_at(&source, 0, &mut media).expect("the case reads");
        media
    })
}

/// A sound base under patches: what is read from it has the patches' bytes where they lie.
pub struct Patched {
    base: &'static [u8],
    patches: Vec<(usize, Vec<u8>)>,
}

impl Patched {
    /// Each patch of the input is: number of a place (2 bytes), bytes behind it (2), count (1), and so many bytes.
    pub fn new(base: &'static [u8], places: &[usize], mut data: &[u8]) -> Self {
        let mut patches = Vec::new();
        while let (Some(place), Some(behind)) = (number(&mut data), number(&mut data)) {
            let Some((count, rest)) = data.split_first() else { break };
            let (bytes, rest) = rest.split_at(rest.len().min(usize::from(*count)));
            data = rest;
            let at = places[place % places.len()] + behind;
            patches.push((at, bytes.to_vec()));
        }
        Self { base, patches }
    }

    /// The whole, for a base that is small.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = self.base.to_vec();
        self.read_at(0, &mut bytes).expect("bytes in memory");
        bytes
    }
}

impl ReadAt for Patched {
    fn len(&self) -> u64 {
        self.base.len() as u64
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.base.read_at(offset, buf)?;
        let (start, end) = (offset as usize, offset as usize + n);
        for (at, bytes) in &self.patches {
            let (from, to) = ((*at).max(start), (at + bytes.len()).min(end));
            if from < to {
                buf[from - start..to - start].copy_from_slice(&bytes[from - at..to - at]);
            }
        }
        Ok(n)
    }
}

/// Every place at which a mark stands, at multiples of `step`.
pub fn places(base: &[u8], step: usize, mark: &[u8]) -> Vec<usize> {
    (0..base.len()).step_by(step).filter(|at| base[*at..].starts_with(mark)).collect()
}

/// Adler-32, as EWF has it behind its structures.
pub fn adler32(bytes: &[u8]) -> u32 {
    let (a, b) = bytes.iter().fold((1u32, 0u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65521;
        (a, (b + a) % 65521)
    });
    b << 16 | a
}

/// CRC-32, as a GPT has it.
pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}
