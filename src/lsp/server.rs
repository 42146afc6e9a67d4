//! The protocol: what an editor asks, and what it is told.

use std::sync::Arc;

use tower_lsp_server::jsonrpc::{Error, Result};
use tower_lsp_server::ls_types::*;
use tower_lsp_server::{Client, LanguageServer, LspService, Server};

use super::answer;
use super::complete::complete;
use super::documents::{Documents, Watch};
use super::find;
use super::hover::hover;
use super::outline::outline;
use crate::pipeline::format;

/// Serves an editor over standard input and output until it says that it goes.
pub(crate) async fn serve() {
    let (service, socket) = LspService::new(Backend::new);
    // One request after the other: each is answered for the text that was there when it was asked.
    Server::new(tokio::io::stdin(), tokio::io::stdout(), socket).concurrency_level(1).serve(service).await;
}

struct Backend {
    documents: Arc<Documents>,
    watch: Watch,
    features: std::sync::OnceLock<Features>,
}

/// What the editor can show.
#[derive(Debug, Clone, Copy, Default)]
struct Features {
    snippets: bool,
}

impl Backend {
    fn new(client: Client) -> Backend {
        let documents = Arc::new(Documents::default());
        let watch = Watch::start(client, documents.clone());
        Backend { documents, watch, features: std::sync::OnceLock::new() }
    }

    fn features(&self) -> Features {
        self.features.get().copied().unwrap_or_default()
    }

    fn changed(&self, uri: Uri, version: i32, text: String) {
        self.documents.set(uri.clone(), version, text);
        self.watch.look_at(uri);
    }
}

fn capabilities() -> ServerCapabilities {
    let triggers = ["\"", "(", "[", "{", ":", ","];
    ServerCapabilities {
        text_document_sync: Some(TextDocumentSyncKind::FULL.into()),
        completion_provider: Some(CompletionOptions {
            trigger_characters: Some(triggers.map(str::to_owned).to_vec()),
            ..CompletionOptions::default()
        }),
        hover_provider: Some(true.into()),
        definition_provider: Some(OneOf::Left(true)),
        references_provider: Some(OneOf::Left(true)),
        document_highlight_provider: Some(OneOf::Left(true)),
        rename_provider: Some(OneOf::Right(RenameOptions {
            prepare_provider: Some(true),
            work_done_progress_options: WorkDoneProgressOptions::default(),
        })),
        document_formatting_provider: Some(OneOf::Left(true)),
        document_symbol_provider: Some(OneOf::Left(true)),
        ..ServerCapabilities::default()
    }
}

impl LanguageServer for Backend {
    async fn initialize(&self, params: InitializeParams) -> Result<InitializeResult> {
        let of_items = params.capabilities.text_document.and_then(|text| text.completion?.completion_item);
        let snippets = of_items.and_then(|items| items.snippet_support).unwrap_or(false);
        // It is asked once, as the protocol has it.
        let _ = self.features.set(Features { snippets });
        let info = ServerInfo { name: "hyper-flow".to_owned(), version: Some(env!("CARGO_PKG_VERSION").to_owned()) };
        Ok(InitializeResult { capabilities: capabilities(), server_info: Some(info), ..InitializeResult::default() })
    }

    async fn shutdown(&self) -> Result<()> {
        Ok(())
    }

    async fn did_open(&self, params: DidOpenTextDocumentParams) {
        let TextDocumentItem { uri, version, text, .. } = params.text_document;
        self.changed(uri, version, text);
    }

    async fn did_change(&self, params: DidChangeTextDocumentParams) {
        let VersionedTextDocumentIdentifier { uri, version } = params.text_document;
        if let Some(change) = params.content_changes.into_iter().last() {
            self.changed(uri, version, change.text);
        }
    }

    /// What files there are may have changed, too.
    async fn did_save(&self, params: DidSaveTextDocumentParams) {
        self.watch.look_at(params.text_document.uri);
    }

    async fn did_close(&self, params: DidCloseTextDocumentParams) {
        self.documents.remove(&params.text_document.uri);
        self.watch.look_at(params.text_document.uri);
    }

    async fn completion(&self, params: CompletionParams) -> Result<Option<CompletionResponse>> {
        let at = params.text_document_position;
        let Some(lines) = self.documents.get(&at.text_document.uri) else { return Ok(None) };
        let candidates = complete(lines.text(), lines.byte(at.position)).into_iter().enumerate();
        let snippets = self.features().snippets;
        let items = candidates.map(|(i, candidate)| answer::item(&lines, i, candidate, snippets)).collect();
        Ok(Some(CompletionResponse::Array(items)))
    }

    async fn hover(&self, params: HoverParams) -> Result<Option<Hover>> {
        let at = params.text_document_position_params;
        let Some(lines) = self.documents.get(&at.text_document.uri) else { return Ok(None) };
        let text = lines.text();
        let told = outline(text).and_then(|root| hover(text, &root, lines.byte(at.position)));
        Ok(told.map(|(markdown, range)| Hover {
            contents: HoverContents::Markup(answer::markdown(markdown)),
            range: Some(lines.span(&range)),
        }))
    }

    async fn goto_definition(&self, params: GotoDefinitionParams) -> Result<Option<GotoDefinitionResponse>> {
        let at = params.text_document_position_params;
        let uri = at.text_document.uri;
        let Some(lines) = self.documents.get(&uri) else { return Ok(None) };
        let found = find::definitions(lines.text(), lines.byte(at.position));
        Ok(Some(GotoDefinitionResponse::Array(answer::locations(&lines, &uri, found))))
    }

    async fn references(&self, params: ReferenceParams) -> Result<Option<Vec<Location>>> {
        let at = params.text_document_position;
        let uri = at.text_document.uri;
        let Some(lines) = self.documents.get(&uri) else { return Ok(None) };
        let found = find::references(lines.text(), lines.byte(at.position), params.context.include_declaration);
        Ok(Some(answer::locations(&lines, &uri, found)))
    }

    async fn document_highlight(&self, params: DocumentHighlightParams) -> Result<Option<Vec<DocumentHighlight>>> {
        let at = params.text_document_position_params;
        let Some(lines) = self.documents.get(&at.text_document.uri) else { return Ok(None) };
        let found = find::references(lines.text(), lines.byte(at.position), true);
        Ok(Some(found.iter().map(|range| DocumentHighlight { range: lines.span(range), kind: None }).collect()))
    }

    async fn prepare_rename(&self, at: TextDocumentPositionParams) -> Result<Option<PrepareRenameResponse>> {
        let Some(lines) = self.documents.get(&at.text_document.uri) else { return Ok(None) };
        let found = find::renamable(lines.text(), lines.byte(at.position));
        Ok(found.map(|(placeholder, range)| PrepareRenameResponse::RangeWithPlaceholder {
            range: lines.span(&range),
            placeholder,
        }))
    }

    async fn rename(&self, params: RenameParams) -> Result<Option<WorkspaceEdit>> {
        let at = params.text_document_position;
        let uri = at.text_document.uri;
        let Some(lines) = self.documents.get(&uri) else { return Ok(None) };
        let edits = find::rename(lines.text(), lines.byte(at.position), &params.new_name);
        let edits = edits.map_err(Error::invalid_params)?;
        Ok(Some(WorkspaceEdit {
            changes: Some([(uri, answer::edits(&lines, edits))].into()),
            ..WorkspaceEdit::default()
        }))
    }

    async fn formatting(&self, params: DocumentFormattingParams) -> Result<Option<Vec<TextEdit>>> {
        let Some(lines) = self.documents.get(&params.text_document.uri) else { return Ok(None) };
        // A text that is no RON stays as it is; its mistake is underlined.
        let Ok(formatted) = format(lines.text(), "") else { return Ok(None) };
        Ok(Some(answer::changed_lines(&lines, &formatted)))
    }

    async fn document_symbol(&self, params: DocumentSymbolParams) -> Result<Option<DocumentSymbolResponse>> {
        let Some(lines) = self.documents.get(&params.text_document.uri) else { return Ok(None) };
        let symbols = find::nodes(lines.text()).into_iter().map(|node| answer::symbol(&lines, node)).collect();
        Ok(Some(DocumentSymbolResponse::Nested(symbols)))
    }
}
