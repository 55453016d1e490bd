//! A machine with two slots: its files, its boot script, the program as the service manager starts it.

use crate::site::{Site, TARGET};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_tegata-agent");

/// A folder with a configuration, and the program that runs by it.
pub(crate) struct Files {
    dir: tempfile::TempDir,
}

impl Files {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn secret(&self, name: &str, bytes: &[u8]) {
        use std::os::unix::fs::PermissionsExt as _;
        self.write(name, bytes);
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_default()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        // Another build of the program, for measurements.
        let program = std::env::var_os("TEGATA_AGENT").unwrap_or_else(|| PROGRAM.into());
        let mut command = Command::new(program);
        command
            .arg("--config")
            .arg(self.path("agent.toml"))
            .arg("--json")
            .args(arguments)
            .env_remove(agent::fault::VARIABLE)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs to success; what it said.
    pub(crate) fn ok(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?} {:?}\n{complained}", output.status);
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// Fails with a code.
    pub(crate) fn refused(&self, arguments: &[&str], code: &str) -> Value {
        let output = self.run(arguments);
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{arguments:?}");
        let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        assert_eq!(said["error"], code, "{arguments:?}\n{complained}");
        said
    }
}

pub(crate) struct Machine {
    files: Files,
    starts: u32,
}

impl std::ops::Deref for Machine {
    type Target = Files;
    fn deref(&self) -> &Files {
        &self.files
    }
}

/// A text out of what the program said.
pub(crate) fn said(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

impl Machine {
    /// A machine that runs slot a with the image `image`, before its first certificate.
    pub(crate) fn new(site: &Site, image: &[u8]) -> Self {
        Self::with(site, image, "", &[("boots_max", "3")])
    }

    /// One with other hooks and other limits of `[update]`.
    pub(crate) fn with(site: &Site, image: &[u8], hooks: &str, limits: &[(&str, &str)]) -> Self {
        let mut machine = Self { files: Files::new(), starts: 0 };
        machine.write("roots.pem", site.root.to_pem().as_bytes());
        machine.write("root.json", &site.first_root);
        machine.write("a.img", image);
        machine.secret("sealing.key", &[7; 32]);
        machine.write("machine-id", b"0123456789abcdef\n");
        machine.write("boot", b"tegata-boot 1\ngood=a\n");
        machine.configure(site, hooks, limits);
        machine.start();
        machine
    }

    /// One that a platform tells what to install: its address, its root in PEM, the first root of
    /// the maker's repository, the device's serial number, the image in slot a. It enrols by
    /// `idevid.pem`.
    pub(crate) fn told_by(
        address: &str,
        root: &str,
        repository: &[u8],
        serial_number: &str,
        image: &[u8],
    ) -> Self {
        let mut machine = Self { files: Files::new(), starts: 0 };
        machine.write("roots.pem", root.as_bytes());
        machine.write("root.json", repository);
        machine.write("a.img", image);
        machine.secret("sealing.key", &[7; 32]);
        machine.write("boot", b"tegata-boot 1\ngood=a\n");
        let at = machine.files.dir.path().display();
        let text = format!(
            "server = \"{address}\"\nroots = \"{at}/roots.pem\"\nstate = \"{at}/state\"\n\
             hardware_id = \"gate-bg1\"\n\
             [identity]\nserial_number = \"{serial_number}\"\nidevid = \"{at}/idevid.pem\"\n\
             sealing_key = \"{at}/sealing.key\"\n\
             [[repository]]\norganisation = \"maker\"\nroot = \"{at}/root.json\"\n\
             [slots]\na = \"{at}/a.img\"\nb = \"{at}/b.img\"\nboot_record = \"{at}/boot\"\n\
             running_file = \"{at}/running\"\nboot_id = \"{at}/boot_id\"\n\
             [hooks]\nreboot = [\"/bin/true\"]\n"
        );
        machine.write("agent.toml", text.as_bytes());
        machine.start();
        machine
    }

    pub(crate) fn configure(&self, site: &Site, hooks: &str, limits: &[(&str, &str)]) {
        let at = self.files.dir.path().display();
        let limits: String =
            limits.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        // What is told does not follow.
        let told = limits.contains("told = true\n");
        let limits = limits.replace("told = true\n", "");
        let follow = if told { String::new() } else { format!("follow = \"{TARGET}\"\n") };
        let text = format!(
            "server = \"{}\"\nroots = \"{at}/roots.pem\"\nstate = \"{at}/state\"\n\
             hardware_id = \"gate-bg1\"\n\
             [identity]\nserial_number = \"SN-1\"\ndevice = \"00112233445566778899aabbccddeeff\"\n\
             sealing_key = \"{at}/sealing.key\"\nbind_to = \"{at}/machine-id\"\n\
             [update]\n{follow}{limits}\
             [[repository]]\norganisation = \"kairo\"\nroot = \"{at}/root.json\"\n\
             [slots]\na = \"{at}/a.img\"\nb = \"{at}/b.img\"\nboot_record = \"{at}/boot\"\n\
             running_file = \"{at}/running\"\nboot_id = \"{at}/boot_id\"\n\
             [hooks]\nreboot = [\"/bin/true\"]\n{hooks}",
            site.address
        );
        self.write("agent.toml", text.as_bytes());
    }

    pub(crate) fn enrol(&self) {
        self.write("code", b"CODE-1");
        let path = self.path("code").display().to_string();
        self.ok(&["enrol", "--code-file", &path]);
    }

    /// The machine starts: the boot script asks which slot, and that slot's image runs.
    pub(crate) fn start(&mut self) -> Vec<u8> {
        self.starts += 1;
        let record = self.path("boot").display().to_string();
        let slot = self.ok(&["boot", "--record", &record])["slot"].as_str().unwrap().to_owned();
        self.write("running", slot.as_bytes());
        self.write("boot_id", format!("start {}", self.starts).as_bytes());
        self.read(&format!("{slot}.img"))
    }

    /// The slot that runs.
    pub(crate) fn running(&self) -> String {
        String::from_utf8(self.read("running")).unwrap()
    }

    /// The image that runs.
    pub(crate) fn image(&self) -> Vec<u8> {
        self.read(&format!("{}.img", self.running()))
    }

    pub(crate) fn status(&self) -> Value {
        self.ok(&["status"])
    }

    /// Rounds and starts until nothing is to be done; `seen` is shown each image that starts.
    pub(crate) fn settle(&mut self, seen: &mut dyn FnMut(&[u8])) -> Value {
        for _ in 0..30 {
            let said = self.ok(&["once"]);
            match said["outcome"].as_str() {
                Some("restarting") => {
                    let image = self.start();
                    seen(&image);
                }
                _ if said["update"]["phase"]["phase"] == "idle" => return said,
                _ => std::thread::sleep(std::time::Duration::from_millis(200)),
            }
        }
        panic!("it does not settle: {}", self.status());
    }
}

/// Bytes that compress badly and differ by seed.
pub(crate) fn image(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &place);
        } else {
            fs::copy(entry.path(), &place).unwrap();
        }
    }
}
