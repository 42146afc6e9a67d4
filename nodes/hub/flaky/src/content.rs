//! What a hub says that works.

use ring::digest::{Digest, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};

use crate::reply::Reply;
use crate::state::{Content, State};
use crate::{Fault, Request};

/// The commit of every repository.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// The answer to a request, but for what goes wrong with it on its way.
pub(crate) fn good(state: &State, request: &Request, fault: &Fault) -> Reply {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let repo = &state.repo;
    let api = match repo.strip_prefix("datasets/") {
        Some(id) => format!("/api/datasets/{id}"),
        None => format!("/api/models/{repo}"),
    };
    if let Some(rest) = path.strip_prefix(&format!("/{repo}/resolve/{COMMIT}/")) {
        return file(state, &rest.replace("%20", " "), request, fault);
    }
    if let Some(file) = path.strip_prefix("/elsewhere/resolve/") {
        return part(&state.files[file].bytes, request, fault);
    }
    match path.strip_prefix(&api) {
        Some("/revision/main") => Reply::of(200, format!(r#"{{"sha":"{COMMIT}","private":false}}"#)),
        Some(rest) if rest == format!("/tree/{COMMIT}") => tree(state, path, query),
        Some(_) => not_found("RevisionNotFound"),
        None if path.starts_with(&format!("/{repo}/")) => not_found("RevisionNotFound"),
        None => not_found("RepoNotFound"),
    }
}

fn not_found(code: &str) -> Reply {
    Reply::of(404, "").with("X-Error-Code", code)
}

fn file(state: &State, path: &str, request: &Request, fault: &Fault) -> Reply {
    match (state.files.get(path), &state.elsewhere) {
        (None, _) => not_found("EntryNotFound"),
        (Some(content), Some(elsewhere)) if content.lfs => {
            Reply::of(302, "").with("Location", format!("{elsewhere}/elsewhere/resolve/{path}?X-Signature=secret"))
        }
        (Some(content), _) => part(&content.bytes, request, fault),
    }
}

/// The bytes that are asked for.
fn part(bytes: &[u8], request: &Request, fault: &Fault) -> Reply {
    let from =
        request.headers.get("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let of = bytes.len();
    match from {
        Some(from) if from >= of => Reply::of(416, "").with("Content-Range", format!("bytes */{of}")),
        Some(from) if !matches!(fault, Fault::Whole(_)) => {
            let from: usize = if matches!(fault, Fault::OtherRange) { from / 2 } else { from };
            Reply::of(206, &bytes[from..]).with("Content-Range", format!("bytes {from}-{}/{of}", of - 1))
        }
        _ => Reply::of(200, bytes),
    }
}

/// A page of the listing, which begins where the query says.
fn tree(state: &State, path: &str, query: &str) -> Reply {
    let begin: usize = query.split_once("cursor=").map_or(0, |(_, at)| at.parse().unwrap());
    let folder = r#"{"type":"directory","oid":"aa","size":0,"path":"folder"}"#.to_owned();
    let entries = state.files.iter().map(|(path, content)| {
        let bytes = state.lies.get(path).unwrap_or(&content.bytes);
        entry(path, &Content { bytes: bytes.clone(), lfs: content.lfs })
    });
    let entries: Vec<String> = std::iter::once(folder).chain(entries).collect();
    let end = (begin + state.page).min(entries.len());
    let reply = Reply::of(200, format!("[{}]", entries[begin..end].join(",")));
    match end < entries.len() {
        // As a mirror does that passes on what the hub behind it says.
        true => reply.with("Link", format!(r#"<https://hub.invalid{path}?recursive=true&cursor={end}>; rel="next""#)),
        false => reply,
    }
}

fn entry(path: &str, Content { bytes, lfs }: &Content) -> String {
    let hex = |digest: Digest| -> String { digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect() };
    let blob = |bytes: &[u8]| {
        let header = format!("blob {}\0", bytes.len()).into_bytes();
        hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, &[&header, bytes].concat()))
    };
    let (size, sha) = (bytes.len(), hex(digest(&SHA256, bytes)));
    match lfs {
        true => {
            let pointer = blob(format!("oid sha256:{sha}\nsize {size}\n").as_bytes());
            format!(
                r#"{{"type":"file","oid":"{pointer}","size":{size},"lfs":{{"oid":"{sha}","size":{size},"pointerSize":134}},"path":"{path}"}}"#
            )
        }
        false => format!(r#"{{"type":"file","oid":"{}","size":{size},"path":"{path}"}}"#, blob(bytes)),
    }
}
