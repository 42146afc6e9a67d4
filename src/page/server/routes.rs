//! What can be asked for.

use axum::extract::{Path, Query, State as Given};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;

use super::{State, guard, live, logs};
use crate::page::model::{self, NodePage, RunPage};
use crate::page::{assets, picture, preview};
use crate::runs::Run;

pub(super) fn router(state: State) -> Router {
    let routes = Router::new()
        .route("/", get(page))
        .route("/app.js", get(script))
        .route("/api/runs", get(runs))
        .route("/api/live", get(live::runs))
        .route("/api/runs/{run}", get(run))
        .route("/api/runs/{run}/live", get(live::events))
        .route("/api/runs/{run}/node", get(node))
        .route("/api/runs/{run}/log", get(logs::log))
        .route("/api/artifacts", get(artifacts))
        .route("/picture/{*name}", get(show))
        .with_state(state.clone());
    // Around the router, so that it sees a path before it is matched.
    Router::new().fallback_service(routes).layer(from_fn_with_state(state, guard::guard))
}

/// Work that reads files is done where it holds nobody up.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StatusCode> {
    tokio::task::spawn_blocking(work).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

/// The run of this id.
pub(super) fn find(state: &State, id: &str) -> Result<Run, StatusCode> {
    let path = state.store.runs().join(id);
    (picture::is_plain(id) && path.is_dir()).then_some(Run { path }).ok_or(StatusCode::NOT_FOUND)
}

async fn page() -> Html<String> {
    let head = format!("<title>hyper-flow</title>\n<style>{}</style>", assets::STYLE);
    Html(assets::document(&head, "<script src=\"app.js\"></script>"))
}

async fn script() -> Response {
    let media = HeaderValue::from_static("text/javascript; charset=utf-8");
    ([(header::CONTENT_TYPE, media)], assets::script()).into_response()
}

async fn runs(Given(state): Given<State>) -> Result<Response, StatusCode> {
    Ok(Json(blocking(move || model::runs(&state.store)).await?).into_response())
}

/// Points of one series, and of all of a run together.
const POINTS: (usize, usize) = (2000, 400_000);

async fn run(Given(state): Given<State>, Path(id): Path<String>) -> Result<Response, StatusCode> {
    let run = find(&state, &id)?;
    let page = blocking(move || {
        let mut page = RunPage::of(&run, &state.store)?;
        page.thin(POINTS.0, POINTS.1);
        Some(page)
    });
    Ok(Json(page.await?.ok_or(StatusCode::NOT_FOUND)?).into_response())
}

#[derive(Deserialize)]
pub(super) struct Of {
    /// The name of a node.
    pub(super) node: String,
}

async fn node(
    Given(state): Given<State>,
    Path(id): Path<String>,
    Query(of): Query<Of>,
) -> Result<Json<NodePage>, StatusCode> {
    let run = find(&state, &id)?;
    let page = blocking(move || NodePage::of(&run, &of.node, &state.store)).await?;
    page.map(Json).ok_or(StatusCode::NOT_FOUND)
}

#[derive(Deserialize)]
struct Search {
    #[serde(default)]
    q: String,
}

/// So many artifacts are found at most.
const FOUND: usize = 60;

async fn artifacts(Given(state): Given<State>, Query(search): Query<Search>) -> Result<Response, StatusCode> {
    let found = blocking(move || {
        let mut artifacts = state.artifacts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        artifacts.search(&state.store, &search.q, FOUND)
    });
    Ok(Json(found.await?).into_response())
}

/// No side of a picture has more pixels.
const SIDE: u32 = 4096;

async fn show(Given(state): Given<State>, Path(name): Path<String>) -> Result<Response, StatusCode> {
    let found = blocking(move || {
        let picture = picture::find(&state.store, &name)?;
        preview::shrink(&picture, SIDE)
    });
    let picture = found.await?.ok_or(StatusCode::NOT_FOUND)?;
    let media = HeaderValue::from_static(picture.media);
    // What is named by a digest does not change.
    let cache = HeaderValue::from_static("private, max-age=3600");
    Ok(([(header::CONTENT_TYPE, media), (header::CACHE_CONTROL, cache)], picture.bytes).into_response())
}
