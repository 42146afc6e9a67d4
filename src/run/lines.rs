//! Lines of a stream, none of them too long for memory.

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// A longer line comes in pieces: it cannot be an event.
const LONGEST: usize = 1 << 20;

/// The next line without its end, or `None` at the end of the stream.
pub(super) async fn next(stream: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    loop {
        let chunk = stream.fill_buf().await?;
        if chunk.is_empty() {
            return Ok((!line.is_empty()).then_some(line));
        }
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let count = end.unwrap_or(chunk.len()).min(LONGEST - line.len());
        line.extend_from_slice(&chunk[..count]);
        let found = end == Some(count);
        stream.consume(count + usize::from(found));
        if found || line.len() == LONGEST {
            return Ok(Some(line));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::BufReader;

    use super::*;

    async fn lengths(text: &[u8]) -> Vec<usize> {
        let mut stream = BufReader::with_capacity(7, text);
        let mut found = Vec::new();
        while let Some(line) = next(&mut stream).await.unwrap() {
            found.push(line.len());
        }
        found
    }

    #[tokio::test]
    async fn lines_of_all_lengths() {
        assert_eq!(lengths(b"").await, [0usize; 0]);
        assert_eq!(lengths(b"one\n\nthree line").await, [3, 0, 10]);
        let mut long = vec![b'x'; LONGEST + 3];
        long.push(b'\n');
        assert_eq!(lengths(&long).await, [LONGEST, 3]);
    }
}
