//! A browser without a screen: it follows links and sends forms as a person would.

use std::collections::BTreeMap;

use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use prost::bytes::Bytes;

/// Somebody who looks at pages of one server. Redirects are shown, not followed.
#[derive(Clone, Debug)]
pub struct Browser {
    server: String,
    client: Client<HttpConnector, Full<Bytes>>,
    headers: BTreeMap<&'static str, String>,
}

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The page.
    pub body: String,
}

impl Browser {
    /// A browser that looks at `server`, as in `http://127.0.0.1:50051`.
    #[must_use]
    pub fn at(server: &str) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { server: server.to_owned(), client, headers: BTreeMap::new() }
    }

    /// The same browser, sending this header, too.
    #[must_use]
    pub fn sending(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.to_owned());
        self
    }

    /// Looks at a page, by its path or its whole address.
    pub async fn get(&self, address: &str) -> Seen {
        self.ask("GET", address, "application/x-www-form-urlencoded", Bytes::new()).await
    }

    /// Sends a form.
    pub async fn post(&self, address: &str, fields: &[(&str, &str)]) -> Seen {
        let body: Vec<_> =
            fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        self.ask("POST", address, "application/x-www-form-urlencoded", body.join("&")).await
    }

    /// Sends whatever it is.
    pub async fn ask(&self, method: &str, address: &str, content: &str, body: impl Into<Bytes>) -> Seen {
        let path = address.strip_prefix(&self.server).unwrap_or(address);
        assert!(path.starts_with('/'), "{address} is not of {}", self.server);
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.server))
            .header("content-type", content);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let request = request.body(Full::new(body.into())).expect("a request");
        let response = self.client.request(request).await.expect("the server answers");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a whole answer").to_bytes();
        let body = String::from_utf8(body.to_vec()).expect("text");
        Seen { status: parts.status.as_u16(), headers: parts.headers, body }
    }
}

impl Seen {
    /// The value of this header; empty if there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> String {
        self.headers.get(name).map(|value| value.to_str().expect("text").to_owned()).unwrap_or_default()
    }

    /// The value of the first field of this name.
    #[must_use]
    pub fn field(&self, name: &str) -> String {
        self.after(&format!("name=\"{name}\" value=\""))
            .unwrap_or_else(|| panic!("no field {name} in {}", self.body))
    }

    /// The address behind the first link to `start…`.
    #[must_use]
    pub fn link(&self, start: &str) -> String {
        let rest = self.after(&format!("href=\"{start}"));
        format!("{start}{}", rest.unwrap_or_else(|| panic!("no link to {start} in {}", self.body)))
    }

    fn after(&self, mark: &str) -> Option<String> {
        let (_, rest) = self.body.split_once(mark)?;
        rest.split('"').next().map(str::to_owned)
    }
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
