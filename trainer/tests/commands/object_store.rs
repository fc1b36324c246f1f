//! Files in an object store: the commands against an S3 server on loopback, with signed requests.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tokio::net::TcpListener;

use crate::command::{Argument, run_with};
use crate::{SAMPLES, csv, samples, shipped};

const KEY: &str = "a-key";
const SECRET: &str = "a-secret";

/// Waits with each picture until all are asked for, a while at most, and knows how many were asked for at once.
#[derive(Default)]
struct Waiting {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Waiting {
    const AT_MOST: Duration = Duration::from_secs(5);

    async fn for_all(&self) {
        let now = self.now.fetch_add(1, SeqCst) + 1;
        self.most.fetch_max(now, SeqCst);
        let start = Instant::now();
        while self.most.load(SeqCst) < SAMPLES.len() && start.elapsed() < Self::AT_MOST {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.now.fetch_sub(1, SeqCst);
    }
}

/// Serves the folders of `root` as buckets for as long as the test runs; gives the endpoint. Pictures wait as they are told to.
fn serve(root: &Path, waiting: Option<Arc<Waiting>>) -> String {
    let files = s3s_fs::FileSystem::new(root).expect("a folder");
    let mut service = S3ServiceBuilder::new(files);
    service.set_auth(SimpleAuth::from_single(KEY, SECRET));
    let service = service.build();
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build();
        runtime.expect("threads").block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            send.send(listener.local_addr().expect("an address"))
                .expect("the test waits");
            loop {
                let (socket, _) = listener.accept().await.expect("a connection");
                let (service, waiting) = (service.clone(), waiting.clone());
                let answer = move |request: Request<Incoming>| {
                    let (service, waiting) = (service.clone(), waiting.clone());
                    async move {
                        if let Some(waiting) = waiting
                            && request.method() == Method::GET
                            && request.uri().path().ends_with(".jpg")
                        {
                            waiting.for_all().await;
                        }
                        service.call(request.map(s3s::Body::from)).await
                    }
                };
                tokio::spawn(async move {
                    let server = Builder::new(TokioExecutor::new());
                    let _ = server
                        .serve_connection(TokioIo::new(socket), service_fn(answer))
                        .await;
                });
            }
        });
    });
    format!("http://{}", receive.recv().expect("an address"))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.parent().expect("a folder")).expect("made");
    std::fs::copy(from, to).expect("a copy");
}

#[test]
fn commands_read_and_write_an_s3_bucket_as_they_do_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let bucket = folder.path().join("cxr");
    for file in ["manifest.json", "weights.bpk"] {
        copy(
            &shipped().join(file),
            &bucket.join("models/lite0").join(file),
        );
    }
    for sample in SAMPLES {
        copy(&samples().join(sample), &bucket.join("data").join(sample));
    }
    csv(
        &bucket.join("data"),
        &SAMPLES.map(|path| (path, "1", path, "test")),
    );
    let endpoint = serve(folder.path(), None);
    let environment = |secret| {
        [
            ("AWS_ACCESS_KEY_ID", KEY),
            ("AWS_SECRET_ACCESS_KEY", secret),
            ("AWS_ENDPOINT", endpoint.as_str()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "us-east-1"),
        ]
    };
    let command = |arguments: &[Argument], secret| {
        let output = run_with(arguments, &environment(secret));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), said)
    };
    let works = |arguments: &[Argument]| {
        let (success, said) = command(arguments, SECRET);
        assert!(success, "{said}");
    };
    let (model, labels) = ("s3://cxr/models/lite0", "s3://cxr/data/labels.csv");
    let predict: [Argument; 7] = [
        &"predict",
        &"--model",
        &model,
        &"--csv",
        &labels,
        &"--out",
        &"s3://cxr/out/scores.csv",
    ];
    works(&predict);
    let local = folder.path().join("local.csv");
    let files: [PathBuf; 2] = [bucket.join("models/lite0"), bucket.join("data/labels.csv")];
    works(&[
        &"predict", &"--model", &files[0], &"--csv", &files[1], &"--out", &local,
    ]);
    let read = |place: PathBuf| std::fs::read_to_string(place).expect("written");
    assert_eq!(read(bucket.join("out/scores.csv")), read(local));

    works(&[
        &"evaluate",
        &"--model",
        &model,
        &"--csv",
        &labels,
        &"--json",
        &"s3://cxr/out/figures.json",
    ]);
    assert!(read(bucket.join("out/figures.json")).contains("mean_of_five"));
    works(&[
        &"explain",
        &"--model",
        &model,
        &"--csv",
        &labels,
        &"--out",
        &"s3://cxr/out/maps",
        &"--json",
        &"s3://cxr/out/reports",
    ]);
    assert!(
        bucket.join("out/maps/effusion.png").exists()
            && bucket.join("out/reports/effusion.json").exists()
    );

    let (success, said) = command(&predict, "another secret");
    assert!(
        !success && said.contains("cannot open s3://cxr/models/lite0/manifest.json"),
        "{said}"
    );
}

#[test]
fn pictures_of_a_bucket_are_fetched_at_once_by_one_thread() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("cxr/data");
    for sample in SAMPLES {
        copy(&samples().join(sample), &data.join(sample));
    }
    csv(&data, &SAMPLES.map(|path| (path, "1", path, "test")));
    let waiting = Arc::new(Waiting::default());
    let endpoint = serve(folder.path(), Some(waiting.clone()));
    let out = folder.path().join("scores.csv");
    let arguments: [Argument; 7] = [
        &"predict",
        &"--model",
        &shipped(),
        &"--csv",
        &"s3://cxr/data/labels.csv",
        &"--out",
        &out,
    ];
    let environment = [
        ("AWS_ACCESS_KEY_ID", KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_ENDPOINT", endpoint.as_str()),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_REGION", "us-east-1"),
        ("RAYON_NUM_THREADS", "1"),
    ];
    let output = run_with(&arguments, &environment);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(waiting.most.load(SeqCst), SAMPLES.len());
    let scores = std::fs::read_to_string(out).expect("written");
    assert_eq!(scores.lines().count(), 1 + SAMPLES.len());
}
