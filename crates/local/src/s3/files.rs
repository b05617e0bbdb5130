//! Objects as files. An object is written beside its place, brought to disk, and then moved to it, so a reader sees the old
//! one or the new one, and what was answered is there after a power cut. No key leads out of its bucket.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use md5::{Digest, Md5};
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};

use super::Failure;
use super::error::{Refused, bad_key, refused};

/// AWS's bound on a key, and most file systems' on each of its parts.
const KEY_LIMIT: usize = 1024;
const PART_LIMIT: usize = 255;
/// How much of an object is read at once.
const READ: usize = 64 * 1024;
/// Uploads and what is being written lie here; no bucket can have this name.
const WORK: &str = ".work";

/// The folder whose folders are buckets.
#[derive(Clone, Debug)]
pub struct Files {
    root: PathBuf,
}

/// What the file of an object tells.
pub struct Told {
    pub path: PathBuf,
    pub size: u64,
    /// Nanoseconds since 1970.
    pub modified: i64,
}

impl Files {
    pub fn open(root: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(root)?;
        let root = root.canonicalize()?;
        // What was being written when the last server ended is nobody's.
        match std::fs::remove_dir_all(root.join(WORK).join("new")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        std::fs::create_dir_all(root.join(WORK).join("new"))?;
        Ok(Self { root })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of a bucket that is there.
    pub fn bucket(&self, name: &str) -> Result<PathBuf, Refused> {
        let folder = self.root.join(name);
        if is_bucket_name(name) && folder.is_dir() { Ok(folder) } else { Err(refused("NoSuchBucket")) }
    }

    /// Where the file of an object lies, whether it is there or not.
    pub fn place(&self, bucket: &str, key: &str) -> Result<PathBuf, Refused> {
        let mut place = self.bucket(bucket)?;
        if key.len() > KEY_LIMIT {
            return Err(refused("KeyTooLongError"));
        }
        for part in key.split('/') {
            if part.is_empty() || part == "." || part == ".." || part.contains('\0') {
                return Err(bad_key("between the slashes of a key there must be a name"));
            }
            if part.len() > PART_LIMIT {
                return Err(bad_key("a name between the slashes of a key has at most 255 bytes"));
            }
            place.push(part);
        }
        Ok(place)
    }

    /// What the file of an object tells, if it is there.
    pub async fn told(&self, bucket: &str, key: &str) -> Result<Told, Refused> {
        let path = match self.place(bucket, key) {
            Ok(path) => path,
            Err(refusal) if refusal.code == "InvalidArgument" => return Err(refused("NoSuchKey")),
            Err(refusal) => return Err(refusal),
        };
        told(path).await.ok_or_else(|| refused("NoSuchKey"))
    }

    /// The folder of an upload in parts.
    pub fn upload(&self, id: &str) -> PathBuf {
        self.root.join(WORK).join("uploads").join(id)
    }

    /// Write a body to disk, where nobody sees it yet.
    pub async fn write<B>(&self, body: B) -> Result<Written, Refused>
    where
        B: Body<Data = Bytes, Error = Failure> + Unpin,
    {
        let mut new = self.begin().await?;
        let mut body = body;
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame?.into_data() {
                new.add(&data).await?;
            }
        }
        new.finish().await
    }

    /// A file that is being written.
    pub async fn begin(&self) -> io::Result<New> {
        let path = self.root.join(WORK).join("new").join(uuid::Uuid::new_v4().simple().to_string());
        let file = File::create_new(&path).await?;
        Ok(New { written: Written { path: Some(path), md5: [0; 16] }, file, digest: Md5::new() })
    }
}

/// What the file at a path tells.
pub async fn told(path: PathBuf) -> Option<Told> {
    let told = tokio::fs::metadata(&path).await.ok().filter(std::fs::Metadata::is_file)?;
    let modified = told.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Told { path, size: told.len(), modified: i64::try_from(modified.as_nanos()).unwrap_or(i64::MAX) })
}

/// A bucket's name: what AWS allows, of which no part leads anywhere.
pub fn is_bucket_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (3..=63).contains(&name.len())
        && name.bytes().all(|byte| plain(byte) || byte == b'-' || byte == b'.')
        && name.as_bytes().first().is_some_and(|byte| plain(*byte))
        && name.as_bytes().last().is_some_and(|byte| plain(*byte))
        && !name.contains("..")
}

/// A file that is being written.
pub struct New {
    written: Written,
    file: File,
    digest: Md5,
}

impl New {
    pub async fn add(&mut self, data: &[u8]) -> io::Result<()> {
        self.digest.update(data);
        self.file.write_all(data).await
    }

    /// All is written, and on disk.
    pub async fn finish(mut self) -> Result<Written, Refused> {
        self.file.flush().await?;
        self.file.sync_all().await?;
        self.written.md5 = self.digest.finalize().into();
        Ok(self.written)
    }
}

/// A file that is on disk and nowhere yet. It is gone if nobody moves it.
pub struct Written {
    path: Option<PathBuf>,
    pub md5: [u8; 16],
}

impl Written {
    /// Move it to its place, for good.
    pub async fn move_to(mut self, place: &Path) -> Result<(), Refused> {
        let Some(path) = self.path.clone() else { return Ok(()) };
        let folder = place.parent().unwrap_or(place);
        let is_in_the_way = |error: io::Error| match error.kind() {
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists | io::ErrorKind::IsADirectory => {
                bad_key("one key cannot be another's folder")
            }
            _ => error.into(),
        };
        tokio::fs::create_dir_all(folder).await.map_err(is_in_the_way)?;
        tokio::fs::rename(&path, place).await.map_err(is_in_the_way)?;
        self.path = None;
        sync_folder(folder).await?;
        Ok(())
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // What stays is removed at the next start.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Bring a folder to disk: that a name is in it, or no longer.
pub async fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder).await?.sync_all().await
}

/// Remove an object's file, and the folders that are empty without it.
pub async fn remove(bucket: &Path, place: &Path) -> Result<(), Refused> {
    match tokio::fs::remove_file(place).await {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory
            ) =>
        {
            return Ok(());
        }
        removed => removed?,
    }
    let mut folder = place.parent();
    while let Some(at) = folder.filter(|at| *at != bucket) {
        if tokio::fs::remove_dir(at).await.is_err() {
            break;
        }
        folder = at.parent();
    }
    sync_folder(folder.unwrap_or(bucket)).await?;
    Ok(())
}

/// A part of a file, as the body of an answer.
pub struct FileBody {
    pub file: File,
    pub left: u64,
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        if this.left == 0 {
            return Poll::Ready(None);
        }
        let room = usize::try_from(this.left).unwrap_or(READ).min(READ);
        let mut buffer = vec![0; room];
        let mut read = ReadBuf::new(&mut buffer);
        ready!(Pin::new(&mut this.file).poll_read(context, &mut read))?;
        let filled = read.filled().len();
        if filled == 0 {
            return Poll::Ready(Some(Err(io::Error::other("the object became shorter while it was read"))));
        }
        buffer.truncate(filled);
        this.left -= u64::try_from(filled).unwrap_or_default();
        Poll::Ready(Some(Ok(Frame::data(buffer.into()))))
    }
}
