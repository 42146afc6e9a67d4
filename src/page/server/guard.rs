//! Who is answered.

use std::io;

use axum::extract::{Request, State as Given};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

use super::State;
use crate::page::assets;

/// What has to be in the address.
#[derive(Debug, Clone)]
pub struct Token(String);

impl Token {
    /// 128 bits of the system's randomness.
    ///
    /// # Errors
    /// The system has none.
    pub fn new() -> io::Result<Token> {
        let mut bytes = [0_u8; 16];
        let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
        if filled < bytes.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Token(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// As it stands in the address.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// In a time that does not tell how much of it is right.
    fn is(&self, other: &str) -> bool {
        self.0.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

/// Lets requests pass that have the token as the first folder of their path, name the loopback device and read only; the
/// path goes on without the token.
pub(super) async fn guard(Given(state): Given<State>, mut request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let named = state.hosts.iter().any(|own| own.eq_ignore_ascii_case(host));
    let path = request.uri().path().trim_start_matches('/').to_owned();
    let (token, rest) = path.split_once('/').unwrap_or((&path, ""));
    // A page of another origin may send requests here, though it cannot read what comes back.
    let foreign = request
        .headers()
        .get(header::ORIGIN)
        .is_some_and(|origin| !state.hosts.iter().any(|own| origin.as_bytes() == format!("http://{own}").as_bytes()));
    let mut response = match () {
        () if !named || foreign || !state.token.is(token) => StatusCode::FORBIDDEN.into_response(),
        () if request.method() != Method::GET => StatusCode::METHOD_NOT_ALLOWED.into_response(),
        // Addresses in the page are relative to the folder.
        () if !path.contains('/') => axum::response::Redirect::temporary(&format!("/{token}/")).into_response(),
        () => {
            let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
            match format!("/{rest}{query}").parse() {
                Ok(uri) => {
                    *request.uri_mut() = uri;
                    next.run(request).await
                }
                Err(_) => StatusCode::NOT_FOUND.into_response(),
            }
        }
    };
    harden(&mut response);
    response
}

/// What browsers are told of every answer.
fn harden(response: &mut Response) {
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src {}; img-src 'self' data:; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        assets::hash(assets::STYLE)
    );
    let headers = response.headers_mut();
    let mut say = |name: HeaderName, value: &str| {
        headers.extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
    };
    say(header::CONTENT_SECURITY_POLICY, &policy);
    say(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    say(header::REFERRER_POLICY, "no-referrer");
    say(header::X_FRAME_OPTIONS, "DENY");
    say(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}
