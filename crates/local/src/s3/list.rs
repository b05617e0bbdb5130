//! Buckets and lists of objects: the folders of the root, and the files in them in the order of their keys.

use std::path::Path;

use http::StatusCode;

use super::error::{Refused, refused};
use super::files::{is_bucket_name, sync_folder};
use super::object::{quoted, xml_time};
use super::xml::Element;
use super::{Answer, Asked, S3, empty, xml};

/// AWS's longest page.
const PAGE: usize = 1000;

impl S3 {
    pub(super) async fn create_bucket(&self, name: &str) -> Result<Answer, Refused> {
        if !is_bucket_name(name) {
            return Err(refused("InvalidBucketName"));
        }
        let folder = self.files.root().join(name);
        if folder.is_dir() {
            return Err(refused("BucketAlreadyOwnedByYou"));
        }
        tokio::fs::create_dir(&folder).await?;
        sync_folder(self.files.root()).await?;
        let mut answer = empty(StatusCode::OK);
        super::object::set(answer.headers_mut(), "location", &format!("/{name}"));
        Ok(answer)
    }

    pub(super) async fn delete_bucket(&self, name: &str) -> Result<Answer, Refused> {
        let folder = self.files.bucket(name)?;
        if !keys(&folder, "")?.is_empty() {
            return Err(refused("BucketNotEmpty"));
        }
        // Folders without files are no objects.
        tokio::fs::remove_dir_all(&folder).await?;
        sync_folder(self.files.root()).await?;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    pub(super) fn list_buckets(&self) -> Result<Answer, Refused> {
        let mut names: Vec<String> = std::fs::read_dir(self.files.root())?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| self.files.bucket(name).is_ok())
            .collect();
        names.sort_unstable();
        let mut buckets = Element::new("Buckets");
        for name in names {
            let made = std::fs::metadata(self.files.root().join(&name)).and_then(|told| told.modified()).ok();
            let made = made.and_then(|at| jiff::Timestamp::try_from(at).ok()).unwrap_or_default();
            buckets =
                buckets.child(Element::new("Bucket").text("Name", &name).text("CreationDate", &format!("{made:.3}")));
        }
        let owner = Element::new("Owner").text("ID", "laptop").text("DisplayName", "laptop");
        Ok(xml(StatusCode::OK, Element::new("ListAllMyBucketsResult").child(owner).child(buckets)))
    }

    /// ListObjects in both of its versions.
    pub(super) async fn list(&self, asked: &Asked) -> Result<Answer, Refused> {
        let folder = self.files.bucket(&asked.bucket)?;
        let given = |name: &str| asked.query(name).filter(|value| !value.is_empty());
        let second = asked.query("list-type") == Some("2");
        let (prefix, delimiter) = (given("prefix").unwrap_or_default(), given("delimiter"));
        let encoded = asked.query("encoding-type") == Some("url");
        let shown = |text: &str| if encoded { super::encoded(text) } else { text.to_owned() };
        let most = given("max-keys").and_then(|most| most.parse().ok()).unwrap_or(PAGE).min(PAGE);
        let after = match second {
            true => given("continuation-token").or(given("start-after")),
            false => given("marker"),
        };
        let (mut contents, mut prefixes) = (Vec::new(), Vec::<String>::new());
        let mut last = String::new();
        let mut more = false;
        for key in keys(&folder, prefix)? {
            let common = delimiter.and_then(|delimiter| {
                let at = key[prefix.len()..].find(delimiter)?;
                Some(key[..prefix.len() + at + delimiter.len()].to_owned())
            });
            // A page may end at a common prefix; then all that has it was before.
            if after
                .is_some_and(|after| key.as_str() <= after || common.as_deref().is_some_and(|common| common <= after))
                || common.as_ref().is_some_and(|common| prefixes.last() == Some(common))
            {
                continue;
            }
            if contents.len() + prefixes.len() >= most {
                more = most > 0;
                break;
            }
            match common {
                Some(common) => {
                    last.clone_from(&common);
                    prefixes.push(common);
                }
                None => {
                    last.clone_from(&key);
                    contents.push(key);
                }
            }
        }
        let count = contents.len() + prefixes.len();
        let mut result = Element::new("ListBucketResult").text("Name", &asked.bucket).text("Prefix", &shown(prefix));
        if let Some(delimiter) = delimiter {
            result = result.text("Delimiter", &shown(delimiter));
        }
        if encoded {
            result = result.text("EncodingType", "url");
        }
        result = result.text("MaxKeys", &most.to_string()).text("IsTruncated", if more { "true" } else { "false" });
        if second {
            result = result.text("KeyCount", &count.to_string());
            if more {
                result = result.text("NextContinuationToken", &last);
            }
        } else if more {
            result = result.text("NextMarker", &shown(&last));
        }
        for key in contents {
            // A file that has gone since is no longer to be listed.
            let Ok(object) = self.object(&asked.bucket, &key).await else { continue };
            let content = Element::new("Contents")
                .text("Key", &shown(&key))
                .text("LastModified", &xml_time(object.told.modified))
                .text("ETag", &quoted(&object.etag))
                .text("Size", &object.told.size.to_string())
                .text("StorageClass", "STANDARD");
            result = result.child(content);
        }
        for prefix in prefixes {
            result = result.child(Element::new("CommonPrefixes").text("Prefix", &shown(&prefix)));
        }
        Ok(xml(StatusCode::OK, result))
    }
}

/// The keys of a bucket that begin with a prefix, in order. Folders that cannot hold any are not looked into.
fn keys(bucket: &Path, prefix: &str) -> Result<Vec<String>, Refused> {
    let mut found = Vec::new();
    let mut waiting = vec![(bucket.to_owned(), String::new())];
    while let Some((folder, at)) = waiting.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let key = format!("{at}{name}");
            let Ok(told) = std::fs::metadata(entry.path()) else { continue };
            if told.is_file() && key.starts_with(prefix) {
                found.push(key);
            } else if told.is_dir() && !entry.file_type()?.is_symlink() {
                let key = format!("{key}/");
                if key.starts_with(prefix) || prefix.starts_with(&key) {
                    waiting.push((entry.path(), key));
                }
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}
