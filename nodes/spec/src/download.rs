//! Files on web servers, as parameters.

use crate::text::text;

text!(
    /// The address of a file on a web server.
    Url,
    "a URL that begins with `https://` or `http://`",
    |text| text.starts_with("https://") || text.starts_with("http://")
);
impl Url {
    /// The address without what may be secret in it: a password, and the query, where signatures are.
    pub fn shown(&self) -> String {
        let plain = self.0.split(['?', '#']).next().unwrap_or_default();
        let (scheme, rest) = plain.split_once("://").unwrap_or(("", plain));
        let (server, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        format!("{scheme}://{}{path}", server.rsplit('@').next().unwrap_or_default())
    }
}

text!(
    /// The SHA-256 that a file must have.
    Sha256,
    "a SHA-256, 64 digits 0–9 and a–f",
    |text| text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_secret_is_not_shown() {
        let shown = |url: &str| Url::try_from(url.to_owned()).unwrap().shown();
        assert_eq!(shown("https://a.b/c/d.tar"), "https://a.b/c/d.tar");
        assert_eq!(shown("http://me:secret@a.b:80/c@d?signature=secret#x"), "http://a.b:80/c@d");
        assert_eq!(shown("https://a.b"), "https://a.b");
    }

    #[test]
    fn what_is_no_url_or_hash() {
        for text in ["a.tar", "ftp://a/b", "/a/b", ""] {
            let error = Url::try_from(text.to_owned()).unwrap_err();
            assert_eq!(error, format!("must be a URL that begins with `https://` or `http://`, not `{text}`"));
        }
        let digits = "0123456789abcdef".repeat(4);
        assert_eq!(Sha256::try_from(digits.clone()).unwrap().as_str(), digits);
        for text in [&digits[1..], &digits.to_uppercase(), &digits.replace('0', "g"), ""] {
            assert!(Sha256::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
