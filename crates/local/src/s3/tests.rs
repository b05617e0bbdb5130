//! Stories about objects, as files of a folder.

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use proptest::prelude::*;

use super::S3;
use super::chunked::Content;
use crate::store::{Clock, Store};

struct World {
    s3: S3,
    dir: tempfile::TempDir,
}

/// A bucket called `bucket`.
async fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("laptop.db"), Clock::System).unwrap();
    let s3 = S3::new(store, &dir.path().join("s3")).unwrap();
    let world = World { s3, dir };
    assert_eq!(world.call(Method::PUT, "/bucket", &[], "").await.0, StatusCode::OK);
    world
}

impl World {
    async fn call(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> (StatusCode, String) {
        let mut request = Request::builder().method(method).uri(path).header("host", "127.0.0.1:8083");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = self.s3.answer(request.body(Full::new(Bytes::from(body.to_owned()))).unwrap()).await;
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        self.call(Method::GET, path, &[], "").await
    }

    async fn put(&self, path: &str, body: &str) -> StatusCode {
        self.call(Method::PUT, path, &[], body).await.0
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join("s3").join(name)
    }
}

fn ok(body: &str) -> (StatusCode, String) {
    (StatusCode::OK, body.to_owned())
}

#[tokio::test]
async fn objects_are_files_and_files_are_objects() {
    let world = world().await;
    assert_eq!(world.put("/bucket/a/b%20c.txt", "hello").await, StatusCode::OK);
    assert_eq!(std::fs::read_to_string(world.file("bucket/a/b c.txt")).unwrap(), "hello");
    std::fs::write(world.file("bucket/copied"), "by hand").unwrap();
    assert_eq!(world.get("/bucket/copied").await, ok("by hand"));
    for (range, part) in [("bytes=3-4", "ha"), ("bytes=-2", "nd"), ("bytes=3-", "hand"), ("bytes=0-99", "by hand")] {
        let got = world.call(Method::GET, "/bucket/copied", &[("range", range)], "").await;
        assert_eq!(got, (StatusCode::PARTIAL_CONTENT, part.to_owned()), "{range}");
    }
    let past = world.call(Method::GET, "/bucket/copied", &[("range", "bytes=7-")], "").await;
    assert_eq!(past.0, StatusCode::RANGE_NOT_SATISFIABLE);
    let copy = [("x-amz-copy-source", "/bucket/a/b%20c.txt")];
    assert_eq!(world.call(Method::PUT, "/bucket/copy", &copy, "").await.0, StatusCode::OK);
    assert_eq!(world.get("/bucket/copy").await, ok("hello"));
    assert_eq!(world.call(Method::DELETE, "/bucket/a/b%20c.txt", &[], "").await.0, StatusCode::NO_CONTENT);
    assert!(!world.file("bucket/a").exists(), "a folder without objects is none");
    assert_eq!(world.call(Method::DELETE, "/bucket/a/b%20c.txt", &[], "").await.0, StatusCode::NO_CONTENT);
    let left = std::fs::read_dir(world.file(".work/new")).unwrap().count();
    assert_eq!(left, 0, "nothing half written is left");
}

#[tokio::test]
async fn nothing_leads_out_of_the_folder() {
    let world = world().await;
    std::fs::write(world.dir.path().join("secret"), "hidden words").unwrap();
    for path in [
        "/bucket/../../secret",
        "/bucket/%2E%2E/%2E%2E/secret",
        "/../secret",
        "/%2E%2E/secret",
        "/bucket/a//b",
        "/.work/new",
    ] {
        let (status, body) = world.get(path).await;
        assert!(status.is_client_error() && !body.contains("hidden"), "{path}: {status} {body}");
        assert!(world.put(path, "x").await.is_client_error(), "{path}");
    }
    assert_eq!(std::fs::read_to_string(world.dir.path().join("secret")).unwrap(), "hidden words");
}

#[tokio::test]
async fn what_is_not_there_is_said_in_s3s_words() {
    let world = world().await;
    world.put("/bucket/a", "x").await;
    let mut story = String::new();
    for (method, path, body) in [
        (Method::GET, "/bucket/none", ""),
        (Method::GET, "/there-is-none/x", ""),
        (Method::PUT, "/bucket", ""),
        (Method::PUT, "/No_Bucket", ""),
        (Method::DELETE, "/bucket", ""),
        (Method::PUT, "/bucket/a/b", "one key cannot be another's folder"),
        (Method::PUT, "/bucket/a?partNumber=1&uploadId=none", "x"),
        (Method::POST, "/bucket?delete", "<Delete><Object>"),
        (Method::GET, "/bucket/a?acl", ""),
    ] {
        let (status, told) = world.call(method.clone(), path, &[], body).await;
        let between = |from: &str, to: &str| {
            told.split(from).nth(1).and_then(|rest| rest.split(to).next()).unwrap_or_default().to_owned()
        };
        story.push_str(&format!(
            "{method} {path}: {} {}: {}\n",
            status.as_u16(),
            between("<Code>", "</"),
            between("<Message>", "</")
        ));
    }
    insta::assert_snapshot!(story, @r##"
    GET /bucket/none: 404 NoSuchKey: The specified key does not exist.
    GET /there-is-none/x: 404 NoSuchBucket: The specified bucket does not exist
    PUT /bucket: 409 BucketAlreadyOwnedByYou: Your previous request to create the named bucket succeeded and you already own it.
    PUT /No_Bucket: 400 InvalidBucketName: The specified bucket is not valid.
    DELETE /bucket: 409 BucketNotEmpty: The bucket you tried to delete is not empty
    PUT /bucket/a/b: 400 InvalidArgument: The laptop&apos;s S3 keeps objects as files: one key cannot be another&apos;s folder
    PUT /bucket/a?partNumber=1&uploadId=none: 404 NoSuchUpload: The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.
    POST /bucket?delete: 400 MalformedXML: The XML you provided was not well-formed or did not validate against our published schema
    GET /bucket/a?acl: 501 NotImplemented: The laptop&apos;s S3 has objects, buckets and uploads in parts, and nothing else of S3.
    "##);
}

#[tokio::test]
async fn lists_have_pages_and_common_prefixes() {
    let world = world().await;
    for key in ["b", "a/1", "a/2", "a/x/3", "c", "a-b"] {
        world.put(&format!("/bucket/{key}"), key).await;
    }
    let of = |body: &str, name: &str| {
        super::xml::texts_of(
            body.as_bytes(),
            &["ListBucketResult", name, if name == "Contents" { "Key" } else { "Prefix" }],
        )
        .unwrap()
    };
    let (_, all) = world.get("/bucket?list-type=2").await;
    assert_eq!(of(&all, "Contents"), ["a-b", "a/1", "a/2", "a/x/3", "b", "c"]);
    let (_, top) = world.get("/bucket?list-type=2&delimiter=/").await;
    assert_eq!(
        (of(&top, "Contents"), of(&top, "CommonPrefixes")),
        (vec!["a-b".into(), "b".into(), "c".into()], vec!["a/".into()])
    );
    let (_, below) = world.get("/bucket?list-type=2&delimiter=/&prefix=a/").await;
    assert_eq!(
        (of(&below, "Contents"), of(&below, "CommonPrefixes")),
        (vec!["a/1".into(), "a/2".into()], vec!["a/x/".into()])
    );
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let (_, page) =
            world.get(&format!("/bucket?list-type=2&delimiter=/&max-keys=2&continuation-token={token}")).await;
        seen.extend(of(&page, "Contents"));
        seen.extend(of(&page, "CommonPrefixes"));
        let next = super::xml::texts_of(page.as_bytes(), &["ListBucketResult", "NextContinuationToken"]).unwrap();
        let Some(next) = next.into_iter().next() else { break };
        token = next;
    }
    assert_eq!(seen, ["a-b", "a/", "b", "c"]);
    let body = "<Delete><Object><Key>b</Key></Object><Object><Key>a/x/3</Key></Object></Delete>";
    let (status, told) = world.call(Method::POST, "/bucket?delete", &[], body).await;
    assert!(status.is_success() && told.contains("<Deleted><Key>a/x/3</Key></Deleted>"), "{told}");
    let (_, all) = world.get("/bucket?list-type=2").await;
    assert_eq!(of(&all, "Contents"), ["a-b", "a/1", "a/2", "c"]);
}

#[tokio::test]
async fn parts_become_one_object() {
    let world = world().await;
    let (_, begun) = world.call(Method::POST, "/bucket/k?uploads", &[("x-amz-meta-a", "b")], "").await;
    let id = super::xml::texts_of(begun.as_bytes(), &["InitiateMultipartUploadResult", "UploadId"]).unwrap().remove(0);
    let at = |number: u32| format!("/bucket/k?partNumber={number}&uploadId={id}");
    assert_eq!(world.put(&at(2), "world").await, StatusCode::OK);
    assert_eq!(world.put(&at(1), "hello ").await, StatusCode::OK);
    assert_eq!(world.get("/bucket/k").await.0, StatusCode::NOT_FOUND);
    let part = |number: u32, tag: &str| format!("<Part><PartNumber>{number}</PartNumber><ETag>\"{tag}\"</ETag></Part>");
    let (one, two) = ("f814893777bcc2295fff05f00e508da6", "7d793037a0760186574b0282f2f435e7");
    let complete = |parts: String| format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
    let end = format!("/bucket/k?uploadId={id}");
    let wrong = world.call(Method::POST, &end, &[], &complete(part(1, two) + &part(2, one))).await;
    assert!(wrong.1.contains("<Code>InvalidPart</Code>"), "{}", wrong.1);
    let turned = world.call(Method::POST, &end, &[], &complete(part(2, two) + &part(1, one))).await;
    assert!(turned.1.contains("<Code>InvalidPartOrder</Code>"), "{}", turned.1);
    let done = world.call(Method::POST, &end, &[], &complete(part(1, one) + &part(2, two))).await;
    assert!(done.0.is_success() && done.1.contains("-2"), "{}", done.1);
    assert_eq!(world.get("/bucket/k").await, ok("hello world"));
    let again = world.call(Method::POST, &end, &[], &complete(part(1, one))).await;
    assert!(again.1.contains("<Code>NoSuchUpload</Code>"), "{}", again.1);
}

#[tokio::test]
async fn signed_chunks_are_put_together() {
    let world = world().await;
    let headers = [
        ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
        ("x-amz-decoded-content-length", "9"),
        ("content-encoding", "aws-chunked"),
    ];
    let body = "5;chunk-signature=00\r\nhello\r\n4;chunk-signature=00\r\n you\r\n0;chunk-signature=00\r\n\r\n";
    assert_eq!(world.call(Method::PUT, "/bucket/k", &headers, body).await.0, StatusCode::OK);
    assert_eq!(world.get("/bucket/k").await, ok("hello you"));
    let cut = world.call(Method::PUT, "/bucket/k", &headers, &body[..30]).await;
    assert!(cut.1.contains("<Code>IncompleteBody</Code>"), "{}", cut.1);
    assert_eq!(world.get("/bucket/k").await, ok("hello you"), "the old one is there still");
}

/// A body that comes in pieces of some lengths.
fn pieces(
    whole: &[u8],
    lengths: &[usize],
) -> impl http_body::Body<Data = Bytes, Error = super::Failure> + Unpin + use<> {
    let mut rest = Bytes::copy_from_slice(whole);
    let mut frames = Vec::new();
    let mut lengths = lengths.iter().cycle();
    while !rest.is_empty() {
        let length = (*lengths.next().unwrap()).min(rest.len());
        frames.push(Ok(http_body::Frame::data(rest.split_to(length))));
    }
    http_body_util::StreamBody::new(Frames(frames.into_iter()))
}

struct Frames(std::vec::IntoIter<Result<http_body::Frame<Bytes>, super::Failure>>);

impl futures_core::Stream for Frames {
    type Item = Result<http_body::Frame<Bytes>, super::Failure>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.next())
    }
}

proptest! {
    /// However a body is cut into chunks, and the chunks into pieces, the same bytes come out.
    #[test]
    fn chunks_carry_what_they_carry(
        chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..6),
        lengths in proptest::collection::vec(1usize..50, 1..5),
        cut in any::<bool>(),
    ) {
        let mut whole = Vec::new();
        for chunk in &chunks {
            whole.extend(format!("{:x};chunk-signature=00\r\n", chunk.len()).bytes());
            whole.extend(chunk);
            whole.extend(b"\r\n");
        }
        if !cut {
            whole.extend(b"0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n");
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let read = runtime.block_on(Content::chunked(pieces(&whole, &lengths)).collect());
        if cut {
            prop_assert!(read.is_err(), "a body that was cut off is no object");
        } else {
            prop_assert_eq!(read.unwrap().to_bytes().to_vec(), chunks.concat());
        }
    }
}
