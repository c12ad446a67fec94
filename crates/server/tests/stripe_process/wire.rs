//! A wire between a caller and a server. Once it is cut, what is asked still arrives, and nothing comes back.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

const READ_BYTES: usize = 16 * 1024;

pub(crate) struct Wire {
    url: String,
    cut: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Wire {
    /// A wire to the server at `server`.
    pub(crate) async fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let cut = Arc::new(AtomicBool::new(false));
        let server = server.trim_start_matches("http://").to_owned();
        let task = tokio::spawn(lay(listener, server, cut.clone()));
        Self { url, cut, task }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// From now on nothing comes back.
    pub(crate) fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
    }
}

async fn lay(listener: TcpListener, server: String, cut: Arc<AtomicBool>) {
    while let Ok((caller, _)) = listener.accept().await {
        let Ok(server) = TcpStream::connect(&server).await else { continue };
        let (from_caller, to_caller) = caller.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::spawn(carry(from_caller, to_server, Arc::default()));
        tokio::spawn(carry(from_server, to_caller, cut.clone()));
    }
}

/// Carries everything that comes, and drops it once the wire is cut. The end is carried in any case.
async fn carry(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, cut: Arc<AtomicBool>) {
    let mut bytes = vec![0; READ_BYTES];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if !cut.load(Ordering::SeqCst) && to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}
