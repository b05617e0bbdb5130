//! Uploads in parts: each part is a file until the upload is complete, and then they are one.

use std::path::PathBuf;

use bytes::Bytes;
use http::StatusCode;
use http_body::Body;
use md5::{Digest, Md5};
use rusqlite::{OptionalExtension, params};
use serde_json::{Map, Value};
use tokio::io::AsyncReadExt;

use super::error::{Refused, refused};
use super::files::{sync_folder, told};
use super::object::{headers_of, hex, quoted, set, xml_time};
use super::xml::{Element, texts_of};
use super::{Answer, Asked, Failure, S3, empty, xml};
use crate::params::document;

/// AWS's bound on the parts of an upload.
const MOST_PARTS: u32 = 10_000;
/// The longest list of parts.
const LIST_BYTES: usize = 2 * 1024 * 1024;
/// How much is copied at once when parts become one.
const COPY: usize = 256 * 1024;

impl S3 {
    pub(super) async fn begin_upload(&self, asked: &Asked) -> Result<Answer, Refused> {
        self.files.place(&asked.bucket, &asked.key)?;
        let id = uuid::Uuid::new_v4().simple().to_string();
        tokio::fs::create_dir_all(self.files.upload(&id)).await?;
        let headers = Value::Object(headers_of(&asked.headers)).to_string();
        let row = (id.clone(), asked.bucket.clone(), asked.key.clone(), headers);
        self.store
            .call(move |tx| {
                let (id, bucket, key, headers) = row;
                tx.db.execute(
                    "INSERT INTO s3_uploads (id, bucket, key, headers, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![id, bucket, key, headers, tx.now],
                )?;
                Ok(())
            })
            .await?;
        let result =
            Element::new("InitiateMultipartUploadResult").text("Bucket", &asked.bucket).text("Key", &asked.key);
        Ok(xml(StatusCode::OK, result.text("UploadId", &id)))
    }

    /// The headers and the folder of an upload of this object.
    async fn upload(&self, asked: &Asked) -> Result<(Map<String, Value>, String, PathBuf), Refused> {
        let id = asked.query("uploadId").unwrap_or_default().to_owned();
        let (bucket, key, given) = (asked.bucket.clone(), asked.key.clone(), id.clone());
        let found = self
            .store
            .call(move |tx| {
                Ok(tx
                    .db
                    .query_row(
                        "SELECT headers FROM s3_uploads WHERE id = ?1 AND bucket = ?2 AND key = ?3",
                        [given, bucket, key],
                        |row| row.get::<_, String>(0),
                    )
                    .optional()?)
            })
            .await?;
        let headers = found.ok_or_else(|| refused("NoSuchUpload"))?;
        let folder = self.files.upload(&id);
        Ok((document(&headers), id, folder))
    }

    pub(super) async fn put_part<B>(&self, asked: &Asked, body: B) -> Result<Answer, Refused>
    where
        B: Body<Data = Bytes, Error = Failure> + Unpin,
    {
        let (_, _, folder) = self.upload(asked).await?;
        let number = asked.query("partNumber").and_then(|number| number.parse().ok());
        let number = number.filter(|number| (1..=MOST_PARTS).contains(number)).ok_or_else(|| refused("InvalidPart"))?;
        let source = asked.header("x-amz-copy-source");
        let written = match source {
            Some(source) => self.copied(source, asked.header("x-amz-copy-source-range")).await?.0,
            None => self.files.write(body).await?,
        };
        let etag = hex(&written.md5);
        // The name tells the tag, so that completing need not read the parts twice.
        let place = folder.join(format!("{number:05}"));
        written.move_to(&place).await?;
        tokio::fs::write(folder.join(format!("{number:05}.etag")), &etag).await?;
        if source.is_some() {
            let at = told(place).await.map_or(0, |told| told.modified);
            let result =
                Element::new("CopyPartResult").text("ETag", &quoted(&etag)).text("LastModified", &xml_time(at));
            return Ok(xml(StatusCode::OK, result));
        }
        let mut answer = empty(StatusCode::OK);
        set(answer.headers_mut(), "etag", &quoted(&etag));
        Ok(answer)
    }

    pub(super) async fn complete_upload<B>(&self, asked: &Asked, body: B) -> Result<Answer, Refused>
    where
        B: Body<Data = Bytes, Error = Failure> + Unpin,
    {
        let (headers, id, folder) = self.upload(asked).await?;
        let body = super::short(body, LIST_BYTES).await?;
        let of = |name: &str| texts_of(&body, &["CompleteMultipartUpload", "Part", name]);
        let (Some(numbers), Some(tags)) = (of("PartNumber"), of("ETag")) else { return Err(refused("MalformedXML")) };
        let numbers: Vec<u32> = numbers.iter().filter_map(|number| number.parse().ok()).collect();
        if numbers.is_empty() || numbers.len() != tags.len() {
            return Err(refused("MalformedXML"));
        }
        if !numbers.is_sorted_by(|one, next| one < next) {
            return Err(refused("InvalidPartOrder"));
        }
        let mut whole = self.files.begin().await?;
        let mut digests = Md5::new();
        let mut buffer = vec![0; COPY];
        for (number, tag) in numbers.iter().zip(&tags) {
            let kept = tokio::fs::read_to_string(folder.join(format!("{number:05}.etag"))).await;
            let kept = kept.map_err(|_| refused("InvalidPart"))?;
            if tag.trim_matches('"') != kept {
                return Err(refused("InvalidPart"));
            }
            digests.update(bytes_of(&kept));
            let mut part = tokio::fs::File::open(folder.join(format!("{number:05}"))).await?;
            loop {
                let read = part.read(&mut buffer).await?;
                if read == 0 {
                    break;
                }
                whole.add(&buffer[..read]).await?;
            }
        }
        let etag = format!("{}-{}", hex(&digests.finalize()), numbers.len());
        self.keep(asked, whole.finish().await?, &etag, headers).await?;
        self.end_upload(id, folder).await?;
        let result = Element::new("CompleteMultipartUploadResult")
            .text("Location", &format!("/{}/{}", asked.bucket, asked.key))
            .text("Bucket", &asked.bucket)
            .text("Key", &asked.key)
            .text("ETag", &quoted(&etag));
        Ok(xml(StatusCode::OK, result))
    }

    pub(super) async fn abort_upload(&self, asked: &Asked) -> Result<Answer, Refused> {
        let (_, id, folder) = self.upload(asked).await?;
        self.end_upload(id, folder).await?;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    async fn end_upload(&self, id: String, folder: PathBuf) -> Result<(), Refused> {
        self.store
            .call(move |tx| {
                tx.db.execute("DELETE FROM s3_uploads WHERE id = ?1", [id])?;
                Ok(())
            })
            .await?;
        // Without its row a folder is nobody's; what stays of it does no harm.
        if let Err(error) = tokio::fs::remove_dir_all(&folder).await {
            tracing::warn!(folder = %folder.display(), %error, "the parts of an upload could not be removed");
        }
        if let Some(uploads) = folder.parent() {
            sync_folder(uploads).await?;
        }
        Ok(())
    }
}

fn bytes_of(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).filter_map(|at| u8::from_str_radix(hex.get(at * 2..at * 2 + 2)?, 16).ok()).collect()
}
