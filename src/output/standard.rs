//! Standard output, that tells when it is none.

use std::io::{self, Stdout, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether there was no standard output when the program started (`>&-` in a shell).
static CLOSED: AtomicBool = AtomicBool::new(false);

/// Rust opens /dev/null in the place of a standard stream that is closed, before `main`, so that what is printed would go
/// nowhere without a word.
#[ctor::ctor(unsafe)]
fn look() {
    CLOSED.store(rustix::io::fcntl_getfd(rustix::stdio::stdout()).is_err(), Ordering::Relaxed);
}

/// Standard output; that it is closed is an error of every write.
#[derive(Debug)]
pub(crate) struct Standard(Stdout);

/// Standard output.
pub(crate) fn standard() -> Standard {
    Standard(io::stdout())
}

impl Write for Standard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if CLOSED.load(Ordering::Relaxed) {
            return Err(rustix::io::Errno::BADF.into());
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
