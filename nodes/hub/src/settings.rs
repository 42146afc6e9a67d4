//! Which hub, who asks, and how patiently.

use std::fmt;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderValue;

use crate::HubError;

const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

/// Which hub, and who asks.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `scheme://host/path`, without a slash at the end.
    pub endpoint: String,
    /// Who asks; nobody in particular for what is public.
    pub token: Option<Token>,
    /// Whether no hub may be asked at all.
    pub offline: bool,
    /// How long to wait, and how often to try again.
    pub patience: Patience,
}

/// How long to wait, and how often to try again.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For the next bytes.
    pub stall: Duration,
    /// How often in a row something may go wrong without a new byte.
    pub retries: u32,
    /// Before the first of these retries; doubled for each further one.
    pub first_wait: Duration,
    /// The longest wait, also where the server asks for more.
    pub longest_wait: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            stall: Duration::from_secs(30),
            retries: 5,
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(300),
        }
    }
}

impl Patience {
    /// For a question whose answer is not needed: one try, with this time for each part of it.
    pub fn brief(limit: Duration) -> Self {
        Self { connect: limit, stall: limit, retries: 0, ..Self::default() }
    }
}

/// A secret: never shown, written, or sent to another host than the hub's.
#[derive(Clone)]
pub struct Token(HeaderValue);

impl Token {
    /// Takes the secret as users copy it, with white space around.
    pub fn new(secret: &str) -> Result<Token, HubError> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", secret.trim())).map_err(|_| HubError::Token)?;
        value.set_sensitive(true);
        Ok(Token(value))
    }

    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Settings {
    /// As the environment says: `HF_ENDPOINT`, `HF_TOKEN`, `HF_HUB_OFFLINE`, and `HF_HUB_DOWNLOAD_TIMEOUT`, the seconds
    /// to wait for the next bytes.
    pub fn from_env() -> Result<Settings, HubError> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    pub(crate) fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Settings, HubError> {
        let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let mut patience = Patience::default();
        if let Some(seconds) = set("HF_HUB_DOWNLOAD_TIMEOUT").and_then(|value| value.trim().parse().ok()) {
            patience.stall = Duration::try_from_secs_f64(seconds).unwrap_or(patience.stall);
        }
        Ok(Settings {
            endpoint: set("HF_ENDPOINT").unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned()),
            token: set("HF_TOKEN").map(|secret| Token::new(&secret)).transpose()?,
            offline: set("HF_HUB_OFFLINE").is_some_and(|value| is_true(&value)),
            patience,
        })
    }

    /// The endpoint as a URL that paths can be put behind.
    pub(crate) fn url(&self) -> Result<Url, HubError> {
        let wrong = |why: String| HubError::Endpoint { why };
        let url = Url::parse(self.endpoint.trim()).map_err(|error| wrong(error.to_string()))?;
        match url.scheme() {
            "http" | "https" if url.query().is_none() && url.fragment().is_none() => Ok(url),
            "http" | "https" => Err(wrong("it has a query or fragment".to_owned())),
            other => Err(wrong(format!("its scheme is `{other}`"))),
        }
    }
}

/// What huggingface_hub takes for true.
fn is_true(value: &str) -> bool {
    matches!(value.trim().to_ascii_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Result<Settings, HubError> {
        let find =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Settings::from_variables(find)
    }

    #[test]
    fn an_empty_environment_is_hugging_face_without_a_token() {
        let settings = settings(&[("HF_ENDPOINT", ""), ("HF_TOKEN", " "), ("HF_HUB_OFFLINE", "0")]).unwrap();
        assert_eq!(settings.url().unwrap().as_str(), "https://huggingface.co/");
        assert!(settings.token.is_none() && !settings.offline);
    }

    #[test]
    fn variables_are_obeyed_and_a_token_is_never_shown() {
        let variables = [
            ("HF_ENDPOINT", "http://mirror:8080/hub/"),
            ("HF_TOKEN", " hf_secret\n"),
            ("HF_HUB_OFFLINE", "on"),
            ("HF_HUB_DOWNLOAD_TIMEOUT", "2.5"),
        ];
        let settings = settings(&variables).unwrap();
        assert_eq!(settings.url().unwrap().as_str(), "http://mirror:8080/hub/");
        assert_eq!(settings.patience.stall, Duration::from_millis(2500));
        assert!(settings.offline);
        assert_eq!(settings.token.as_ref().unwrap().header(), "Bearer hf_secret");
        assert!(!format!("{settings:?} {:?}", settings.token.as_ref().unwrap().header()).contains("secret"));
    }

    #[test]
    fn what_is_no_endpoint_or_token_is_told() {
        for endpoint in ["mirror", "ftp://mirror", "https://mirror?x=1", "localhost:80"] {
            assert!(settings(&[("HF_ENDPOINT", endpoint)]).unwrap().url().is_err(), "{endpoint}");
        }
        let error = settings(&[("HF_TOKEN", "hf_se\ncret")]).unwrap_err().to_string();
        assert!(error.contains("HF_TOKEN") && !error.contains("cret"), "{error}");
    }
}
