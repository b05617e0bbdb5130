//! Images: what a container image is on a laptop. An image name is mapped to a folder of programs; a job's command is
//! looked for there. An image that is not mapped has nothing to run, and the job says which setting is missing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Image names and the folders that stand for them.
pub type Images = BTreeMap<String, PathBuf>;

/// The folder of an image: of its full name, or of its name without tag and digest.
pub fn folder<'a>(images: &'a Images, image: &str) -> Result<&'a Path, String> {
    let untagged = image.split('@').next().unwrap_or_default();
    let untagged = match untagged.rfind(':') {
        // A colon before a slash belongs to the registry's port.
        Some(at) if !untagged[at..].contains('/') => &untagged[..at],
        _ => untagged,
    };
    let Some(folder) = images.get(image).or_else(|| images.get(untagged)) else {
        return Err(format!(
            "CannotPullContainerError: the image {image} is not mapped to a folder on this machine. Add it to the settings: --image {image}=FOLDER, or in the file [images] \"{image}\" = \"FOLDER\""
        ));
    };
    if folder.is_dir() {
        return Ok(folder);
    }
    Err(format!(
        "CannotPullContainerError: the image {image} is mapped to {}, which is not a folder. Change [images] in the settings.",
        folder.display()
    ))
}

/// The command with its files found in the folder. The program is taken from the folder if it is there. If it is not, it
/// is an interpreter of the machine, and the first argument that is no option is its script, which is taken from the
/// folder if it is there. Everything else stays as it is: the job runs in an empty directory, not in the folder.
pub fn resolve(folder: &Path, command: &[String]) -> Option<Vec<String>> {
    let mut resolved = command.to_vec();
    let program = resolved.first_mut()?;
    if let Some(found) = inside(folder, program) {
        *program = found;
        return Some(resolved);
    }
    if let Some(script) = resolved.iter_mut().skip(1).find(|word| !word.starts_with('-'))
        && let Some(found) = inside(folder, script)
    {
        *script = found;
    }
    Some(resolved)
}

/// The file of a relative name inside the folder; none if the name leads out of it.
fn inside(folder: &Path, name: &str) -> Option<String> {
    let relative = Path::new(name);
    if name.is_empty() || relative.is_absolute() {
        return None;
    }
    let file = folder.join(relative).canonicalize().ok()?;
    let home = folder.canonicalize().ok()?;
    (file.starts_with(&home) && file.is_file()).then(|| file.to_str().map(str::to_owned)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_found_with_or_without_its_tag() {
        let dir = tempfile::tempdir().unwrap();
        let images = Images::from([("reg:5000/sums".to_owned(), dir.path().to_owned())]);
        for image in ["reg:5000/sums", "reg:5000/sums:v1", "reg:5000/sums@sha256:00"] {
            assert_eq!(folder(&images, image).unwrap(), dir.path());
        }
        let error = folder(&images, "other:v1").unwrap_err();
        assert!(error.contains("--image other:v1=FOLDER"), "{error}");
    }

    #[test]
    fn commands_are_found_in_the_folder_and_nowhere_above() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("image");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("job.py"), "").unwrap();
        std::fs::write(dir.path().join("secret"), "").unwrap();
        let file = folder.canonicalize().unwrap().join("job.py").to_str().unwrap().to_owned();
        let resolve = |words: &[&str]| {
            resolve(&folder, &words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()).unwrap().join(" ")
        };
        assert_eq!(resolve(&["./job.py", "job.py"]), format!("{file} job.py"));
        assert_eq!(resolve(&["python3", "-u", "job.py", "job.py"]), format!("python3 -u {file} job.py"));
        assert_eq!(resolve(&["sh", "-c", "echo job.py"]), "sh -c echo job.py");
        assert_eq!(resolve(&["cat", "../secret"]), "cat ../secret");
    }
}
