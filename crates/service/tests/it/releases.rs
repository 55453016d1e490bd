//! Files, releases, gates, publication.

use crate::world::{Org, World, config, id, open, product};
use crypto::{Sha256, sha256};
use device::DeviceKind;
use service::{
    AttachmentKind, Caller, Config, ErrorKind, Gate, NewArtifact, NewAttachment, NewRelease,
    NewUpload, Page, ReleaseId, ReleaseQuery, ReleaseSeen, ReleaseState, ReleaseView, Service,
    ServiceError, UploadState, fault,
};
use std::{
    io::Read as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

pub(crate) fn code<T: std::fmt::Debug>(outcome: Result<T, ServiceError>) -> &'static str {
    outcome.unwrap_err().code()
}

pub(crate) async fn upload(
    service: &Service,
    caller: &Caller,
    organisation: &str,
    bytes: &[u8],
) -> Result<Sha256, ServiceError> {
    let sha256 = sha256(bytes);
    let length = u64::try_from(bytes.len()).unwrap();
    let new = NewUpload { organisation: id(organisation), sha256, length };
    let upload = service.begin_blob(caller, new).await?;
    let from = usize::try_from(upload.received).unwrap();
    if from < bytes.len() {
        let mut writer = service.append_blob(caller, &upload.id, upload.received).await?;
        writer.write(bytes[from..].to_vec()).await?;
        writer.close().await?;
    }
    let done = service.finish_blob(caller, &upload.id).await?;
    assert_eq!(done.state, UploadState::Complete);
    Ok(sha256)
}

pub(crate) fn sbom(name: &str, version: &str) -> Vec<u8> {
    format!(
        r#"{{"bomFormat":"CycloneDX","specVersion":"1.6","version":1,"metadata":{{"component":
        {{"type":"firmware","name":"{name}","version":"{version}"}}}},"components":[{{"type":"library",
        "name":"zlib","version":"1.3","purl":"pkg:generic/zlib@1.3"}}]}}"#
    )
    .into_bytes()
}

pub(crate) fn new_release(version: &str, security_version: u64) -> NewRelease {
    NewRelease {
        organisation: id("maker"),
        product: product("gate"),
        version: version.into(),
        security_version,
        release_counter: None,
        hardware_ids: vec!["gate-bg1".into(), "gate-bg2".into()],
        notes: "改善。\nFaster.".into(),
    }
}

pub(crate) async fn attach(
    service: &Service,
    caller: &Caller,
    release: &ReleaseId,
    kind: AttachmentKind,
    bytes: &[u8],
) -> Result<(), ServiceError> {
    let sha256 = upload(service, caller, "maker", bytes).await?;
    let new = NewAttachment { kind, name: format!("{}.file", kind.name()), sha256 };
    service.attach(caller, release, new).await.map(drop)
}

/// A draft that passes the default gate.
pub(crate) async fn draft(
    service: &Service,
    caller: &Caller,
    version: &str,
    security_version: u64,
) -> ReleaseView {
    let release = service.create_release(caller, new_release(version, security_version)).await;
    let release = release.unwrap().id;
    let image = upload(service, caller, "maker", format!("image {version}").as_bytes()).await;
    let image =
        NewArtifact { name: "fw.img".into(), sha256: image.unwrap(), hardware_ids: Vec::new() };
    service.add_artifact(caller, &release, image).await.unwrap();
    attach(service, caller, &release, AttachmentKind::Sbom, &sbom("gate", version)).await.unwrap();
    service.release(caller, &release).await.unwrap()
}

async fn world(config: Config) -> (World, Org) {
    let world = World::with(config).await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    (world, maker)
}

fn files(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for folder in std::fs::read_dir(dir.join("blobs")).unwrap() {
        let folder = folder.unwrap();
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let (folder, file) = (folder.file_name(), file.unwrap().file_name());
            found.push(format!("{}/{}", folder.to_string_lossy(), file.to_string_lossy()));
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn a_file_arrives_in_pieces_and_is_what_it_said() {
    let (world, maker) = world(config()).await;
    let (service, admin) = (&world.service, &maker.admin);
    let bytes: Vec<u8> = (0..100_000_u32).flat_map(u32::to_be_bytes).collect();
    let (sha, length) = (sha256(&bytes), u64::try_from(bytes.len()).unwrap());
    let new = NewUpload { organisation: id("maker"), sha256: sha, length };
    let begun = service.begin_blob(admin, new.clone()).await.unwrap();
    assert_eq!(code(service.finish_blob(admin, &begun.id).await), "upload-unfinished");
    let mut writer = service.append_blob(admin, &begun.id, 0).await.unwrap();
    assert_eq!(code(service.append_blob(admin, &begun.id, 0).await), "upload-busy");
    assert_eq!(code(service.abandon_blob(admin, &begun.id).await), "upload-busy");
    writer.write(bytes[..1000].to_vec()).await.unwrap();
    writer.write(bytes[1000..5000].to_vec()).await.unwrap();
    assert_eq!(writer.close().await.unwrap().received, 5000);
    // Written and not closed is not received.
    let mut writer = service.append_blob(admin, &begun.id, 5000).await.unwrap();
    writer.write(vec![0; 77]).await.unwrap();
    drop(writer);
    // Whoever begins again goes on.
    let again = service.begin_blob(admin, new.clone()).await.unwrap();
    assert_eq!((again.id, again.received), (begun.id, 5000));
    assert_eq!(code(service.append_blob(admin, &begun.id, 4999).await), "upload-offset");
    let mut writer = service.append_blob(admin, &begun.id, 5000).await.unwrap();
    assert_eq!(writer.missing(), length - 5000);
    assert_eq!(code(writer.write(vec![0; bytes.len()]).await), "upload-length");
    writer.write(bytes[5000..].to_vec()).await.unwrap();
    writer.close().await.unwrap();
    let done = service.finish_blob(admin, &begun.id).await.unwrap();
    assert_eq!(done.state, UploadState::Complete);
    assert_eq!(service.finish_blob(admin, &begun.id).await.unwrap().state, UploadState::Complete);
    assert_eq!(code(service.append_blob(admin, &begun.id, length).await), "upload-over");
    let mut reader = service.open_blob(admin, &id("maker"), &sha).await.unwrap();
    let mut read = Vec::new();
    reader.file.read_to_end(&mut read).unwrap();
    assert!(read == bytes && reader.length == length);
    // The same again is there at once.
    let again = service.begin_blob(admin, new).await.unwrap();
    assert_eq!((again.state, again.received), (UploadState::Complete, length));
    // An empty file is a file.
    upload(service, admin, "maker", b"").await.unwrap();
    assert_eq!(
        service.uploads(admin, &id("maker"), &Page::default()).await.unwrap().items.len(),
        2
    );
}

#[tokio::test]
async fn what_is_not_what_it_said_is_no_file() {
    let (world, maker) = world(config()).await;
    let (service, admin) = (&world.service, &maker.admin);
    let new = NewUpload { organisation: id("maker"), sha256: sha256(b"right"), length: 5 };
    let begun = service.begin_blob(admin, new.clone()).await.unwrap();
    let other = NewUpload { length: 6, ..new.clone() };
    assert_eq!(code(service.begin_blob(admin, other).await), "upload-length");
    let mut writer = service.append_blob(admin, &begun.id, 0).await.unwrap();
    writer.write(b"wrong".to_vec()).await.unwrap();
    writer.close().await.unwrap();
    assert_eq!(code(service.finish_blob(admin, &begun.id).await), "blob-mismatch");
    assert_eq!(code(service.finish_blob(admin, &begun.id).await), "blob-mismatch");
    assert_eq!(service.upload(admin, &begun.id).await.unwrap().state, UploadState::Mismatch);
    assert_eq!(code(service.open_blob(admin, &id("maker"), &new.sha256).await), "not-found");
    assert!(files(world.path()).is_empty(), "{:?}", files(world.path()));
    // And it can be tried again.
    upload(service, admin, "maker", b"right").await.unwrap();
    // Given up: nothing stays.
    let new = NewUpload { organisation: id("maker"), sha256: sha256(b"other"), length: 5 };
    let begun = service.begin_blob(admin, new).await.unwrap();
    let mut writer = service.append_blob(admin, &begun.id, 0).await.unwrap();
    writer.write(b"oth".to_vec()).await.unwrap();
    writer.close().await.unwrap();
    assert_eq!(files(world.path()).len(), 2);
    service.abandon_blob(admin, &begun.id).await.unwrap();
    assert_eq!(files(world.path()).len(), 1);
    assert_eq!(code(service.upload(admin, &begun.id).await), "not-found");
}

#[tokio::test]
async fn limits_of_files_hold() {
    let mut config = config();
    config.limits.blob_bytes = 1000;
    config.limits.blob_bytes_per_organisation = 1500;
    config.limits.uploads_per_organisation = 2;
    let (world, maker) = world(config).await;
    let (service, admin) = (&world.service, &maker.admin);
    let begin = async |what: &[u8], length: u64| {
        let new = NewUpload { organisation: id("maker"), sha256: sha256(what), length };
        service.begin_blob(admin, new).await
    };
    assert_eq!(code(begin(b"a", 1001).await), "blob-length");
    let one = begin(b"a", 1000).await.unwrap();
    // What is on its way counts.
    assert_eq!(code(begin(b"b", 501).await), "quota");
    begin(b"b", 500).await.unwrap();
    assert_eq!(code(begin(b"c", 0).await), "too-many-uploads");
    service.abandon_blob(admin, &one.id).await.unwrap();
    upload(service, admin, "maker", &[7; 900]).await.unwrap();
    assert_eq!(code(begin(b"d", 101).await), "quota");
    // An upload that nothing arrives of is forgotten, and gives its room back.
    world.clock.advance(7 * 86_400 - 1);
    service.sweep().unwrap();
    assert_eq!(code(begin(b"d", 101).await), "quota");
    world.clock.advance(1);
    service.sweep().unwrap();
    begin(b"d", 600).await.unwrap();
}

#[tokio::test]
async fn what_nobody_needs_goes_and_what_somebody_needs_stays() {
    let (world, maker) = world(config()).await;
    let other = world.maker("other", "lamp", DeviceKind::Device).await;
    let (service, admin) = (&world.service, &maker.admin);
    let release = draft(service, admin, "1.0", 1).await;
    let unused = upload(service, admin, "maker", b"unused").await.unwrap();
    upload(service, &other.admin, "other", b"unused").await.unwrap();
    let dropped = draft(service, admin, "2.0", 1).await;
    service.discard_release(admin, &dropped.id).await.unwrap();
    assert_eq!(code(service.release(admin, &dropped.id).await), "not-found");
    assert_eq!(files(world.path()).len(), 5);
    service.sweep().unwrap();
    assert_eq!(files(world.path()).len(), 5);
    world.clock.advance(7 * 86_400 - 10);
    upload(service, &other.admin, "other", b"unused").await.unwrap();
    world.clock.advance(11);
    service.sweep().unwrap();
    // The other organisation has had it anew; the first has it no more.
    assert_eq!(files(world.path()).len(), 3);
    assert_eq!(code(service.open_blob(admin, &id("maker"), &unused).await), "not-found");
    service.open_blob(&other.admin, &id("other"), &unused).await.unwrap();
    service.open_blob(admin, &id("maker"), &release.artifacts[0].sha256).await.unwrap();
    world.clock.advance(8 * 86_400);
    service.sweep().unwrap();
    assert_eq!(files(world.path()).len(), 2);
}

#[tokio::test]
async fn a_release_that_fails_its_gate_is_not_published() {
    let (world, maker) = world(config()).await;
    let (service, admin) = (&world.service, &maker.admin);
    let gate = Gate {
        tests: true,
        provenance: true,
        not_exploited: true,
        security_floor: 3,
        ..Gate::default()
    };
    service.set_release_gate(admin, &id("maker"), &product("gate"), gate.clone()).await.unwrap();
    let read = service.release_gate(&maker.reader, &id("maker"), &product("gate")).await.unwrap();
    assert_eq!(read, gate);
    let release = service.create_release(admin, new_release("1.0", 2)).await.unwrap().id;
    let refused = service.publish_release(admin, &release, None).await.unwrap_err();
    assert_eq!(refused.code(), "gate");
    for code in ["artifacts:", "sbom:", "tests:", "provenance:", "security-floor:", "exploited:"] {
        assert!(refused.to_string().contains(code), "{code} in {refused}");
        assert!(refused.message_ja().unwrap().contains(code), "{code}");
    }
    // Without a file there is nothing to publish, whoever says so.
    let forced = service.publish_release(admin, &release, Some("trade fair")).await;
    assert_eq!(code(forced), "gate-fixed");
    let image = upload(service, admin, "maker", b"image").await.unwrap();
    let new = NewArtifact { name: "fw.img".into(), sha256: image, hardware_ids: Vec::new() };
    service.add_artifact(admin, &release, new.clone()).await.unwrap();
    assert_eq!(code(service.add_artifact(admin, &release, new).await), "artifact-exists");
    let open = async || {
        let items = service.check_release(&maker.reader, &release).await.unwrap();
        let open: Vec<_> = items.iter().filter(|item| !item.met).map(|item| item.code).collect();
        open.join(" ")
    };
    let all = "sbom tests provenance security-floor exploited";
    assert_eq!(open().await, all);
    let attach = async |kind, bytes: &[u8]| attach(service, admin, &release, kind, bytes).await;
    // An SBOM of something else, of another version, or none at all.
    assert_eq!(code(attach(AttachmentKind::Sbom, b"{}").await), "attachment");
    attach(AttachmentKind::Sbom, &sbom("lamp", "1.0")).await.unwrap();
    assert_eq!(open().await, all);
    attach(AttachmentKind::Sbom, &sbom("gate", "0.9")).await.unwrap();
    assert_eq!(open().await, all);
    attach(AttachmentKind::Sbom, &sbom("Gate", "1.0")).await.unwrap();
    assert_eq!(open().await, "tests provenance security-floor exploited");
    // Tests that fail, hide it, or are none.
    for bad in [
        &b"<testsuite><testcase name='boot'><failure/></testcase></testsuite>"[..],
        b"<testsuite tests='1' failures='1'><testcase name='boot'/></testsuite>",
        b"<testsuite><testcase name='boot'><skipped/></testcase></testsuite>",
        b"<testsuite/>",
    ] {
        attach(AttachmentKind::Tests, bad).await.unwrap();
        assert_eq!(open().await, "tests provenance security-floor exploited");
    }
    let refused = service.publish_release(admin, &release, None).await.unwrap_err();
    assert!(refused.to_string().contains("tests: the test results hold no test"), "{refused}");
    attach(AttachmentKind::Tests, b"<testsuite><testcase name='boot'/></testsuite>").await.unwrap();
    assert_eq!(open().await, "provenance security-floor exploited");
    // Provenance of something else.
    let provenance = |digest: &Sha256| {
        format!(
            r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"name":"x","digest":
            {{"sha256":"{digest}"}}}}],"predicateType":"https://slsa.dev/provenance/v1"}}"#
        )
        .into_bytes()
    };
    let stranger = attach(AttachmentKind::Provenance, &provenance(&sha256(b"other"))).await;
    assert_eq!(code(stranger), "provenance-subject");
    attach(AttachmentKind::Provenance, &provenance(&image)).await.unwrap();
    assert_eq!(open().await, "security-floor exploited");
    // A file that came later has none.
    let late = upload(service, admin, "maker", b"late").await.unwrap();
    let late = NewArtifact { name: "late".into(), sha256: late, hardware_ids: Vec::new() };
    service.add_artifact(admin, &release, late).await.unwrap();
    assert_eq!(open().await, "provenance security-floor exploited");
    service.remove_artifact(admin, &release, "late").await.unwrap();
    // Who may not overrule does not.
    assert_eq!(code(service.publish_release(&maker.station, &release, Some("x")).await), "role");
    assert_eq!(code(service.publish_release(&maker.reader, &release, None).await), "role");
    let published = service.publish_release(admin, &release, Some("trade fair")).await.unwrap();
    assert_eq!(published.state, ReleaseState::Published);
    assert_eq!(published.overruled, ["security-floor", "exploited"]);
    assert_eq!(published.overruled_reason.as_deref(), Some("trade fair"));
    let page = Page { after: None, limit: 1000 };
    let audit = service.audit(admin, Some(&id("maker")), None, &page).await.unwrap();
    let told = audit.items.iter().any(|view| {
        view.event.details().any(|(key, value)| key == "reason" && value == "trade fair")
    });
    assert!(told, "the overruling is in the audit log");
}

#[tokio::test]
async fn releases_only_go_forward() {
    let (world, maker) = world(config()).await;
    let (service, admin) = (&world.service, &maker.admin);
    let one = draft(service, admin, "1.0", 5).await;
    assert_eq!(one.release_counter, 1);
    assert_eq!(one.artifacts[0].path, "gate/1.0/fw.img");
    let twin = service.create_release(admin, new_release("1.0", 5)).await;
    assert_eq!(code(twin), "release-exists");
    let lower = draft(service, admin, "1.1", 4).await;
    let next = draft(service, admin, "1.2", 5).await;
    service.publish_release(admin, &next.id, None).await.unwrap();
    // Its counter is lower than what devices may have by now, and nobody can overrule that.
    let refused = service.publish_release(admin, &one.id, Some("why not")).await.unwrap_err();
    assert_eq!(refused.code(), "gate-fixed");
    assert!(refused.to_string().contains("release-counter"), "{refused}");
    let refused = service.publish_release(admin, &lower.id, Some("why not")).await.unwrap_err();
    assert!(refused.to_string().contains("security-version"), "{refused}");
    // Published is published.
    let new = NewArtifact { name: "b".into(), sha256: sha256(b"x"), hardware_ids: Vec::new() };
    assert_eq!(code(service.add_artifact(admin, &next.id, new).await), "release-published");
    assert_eq!(code(service.remove_artifact(admin, &next.id, "fw.img").await), "release-published");
    let detach = service.detach(admin, &next.id, AttachmentKind::Sbom, "sbom.file").await;
    assert_eq!(code(detach), "release-published");
    assert_eq!(code(service.discard_release(admin, &next.id).await), "release-published");
    assert_eq!(code(service.publish_release(admin, &next.id, None).await), "release-published");
    assert_eq!(code(service.withdraw_release(admin, &one.id, "x").await), "release-not-published");
    let withdrawn = service.withdraw_release(admin, &next.id, "it burns").await.unwrap();
    assert_eq!(withdrawn.state, ReleaseState::Withdrawn);
    assert_eq!(withdrawn.withdrawn_reason.as_deref(), Some("it burns"));
    // A withdrawn one counts all the same: devices may have it.
    assert_eq!(code(service.publish_release(admin, &one.id, None).await), "gate");
    let query = ReleaseQuery { product: Some(product("gate")), state: Some(ReleaseState::Draft) };
    let drafts = service.releases(&maker.reader, &id("maker"), &query, &Page::default()).await;
    assert_eq!(drafts.unwrap().items.len(), 2);
}

#[tokio::test]
async fn the_log_commits_to_what_was_published() {
    let (world, maker) = world(config()).await;
    let (service, admin) = (&world.service, &maker.admin);
    let release = draft(service, admin, "1.0", 1).await;
    assert_eq!(code(service.release_proof(admin, &release.id).await), "release-not-published");
    let published = service.publish_release(admin, &release.id, None).await.unwrap();
    service.integrate_now().await.unwrap();
    let proof = service.release_proof(&maker.reader, &release.id).await.unwrap();
    assert_eq!(Some(proof.leaf), published.leaf);
    let statement = update::ReleaseStatement::parse(&proof.statement).unwrap();
    assert_eq!(statement.release, release.id.to_string());
    assert_eq!(statement.artifacts[0].sha256, sha256(b"image 1.0"));
    assert_eq!(Some(statement.at), published.published_at);
    let commitment = ledger::commit(&proof.salt, &proof.statement);
    let check = service.check_log(&service.local_administrator()).await.unwrap();
    assert!(check.problems.is_empty() && check.statements_checked == 1, "{check:?}");
    let now = service.release_proof(&maker.reader, &release.id).await.unwrap();
    ledger::verify_inclusion(&commitment, &now.proof, &check.root).unwrap();
    // A statement that was changed in the store shows.
    service.close();
    let connection = rusqlite::Connection::open(world.path().join("tegata.db")).unwrap();
    connection.execute("UPDATE statement SET contents = x'7b7d'", []).unwrap();
    drop(connection);
    let service = open(world.path(), config(), &world.clock);
    let check = service.check_log(&service.local_administrator()).await.unwrap();
    assert_eq!(check.problems.len(), 1, "{:?}", check.problems);
    service.close();
}

#[tokio::test]
async fn strangers_find_nothing() {
    let (world, maker) = world(config()).await;
    let stranger = world.maker("stranger", "lamp", DeviceKind::Device).await;
    let (service, admin) = (&world.service, &maker.admin);
    let release = draft(service, admin, "1.0", 1).await;
    let new = NewUpload { organisation: id("maker"), sha256: sha256(b"part"), length: 4 };
    let upload_id = service.begin_blob(admin, new.clone()).await.unwrap().id;
    let (file, page) = (release.artifacts[0].sha256, Page::default());
    let artifact = NewArtifact { name: "x".into(), sha256: file, hardware_ids: Vec::new() };
    let kind = AttachmentKind::Sbom;
    let attachment = NewAttachment { kind, name: "x".into(), sha256: file };
    let (org, line) = (id("maker"), product("gate"));
    for caller in [&stranger.admin, &stranger.station, &stranger.reader, &world.platform_admin] {
        let kinds = [
            service.begin_blob(caller, new.clone()).await.unwrap_err().kind(),
            service.upload(caller, &upload_id).await.unwrap_err().kind(),
            service.uploads(caller, &org, &page).await.unwrap_err().kind(),
            service.append_blob(caller, &upload_id, 0).await.unwrap_err().kind(),
            service.finish_blob(caller, &upload_id).await.unwrap_err().kind(),
            service.abandon_blob(caller, &upload_id).await.unwrap_err().kind(),
            service.open_blob(caller, &org, &file).await.unwrap_err().kind(),
            service.create_release(caller, new_release("2.0", 1)).await.unwrap_err().kind(),
            service.release(caller, &release.id).await.unwrap_err().kind(),
            service
                .releases(caller, &org, &ReleaseQuery::default(), &page)
                .await
                .unwrap_err()
                .kind(),
            service.add_artifact(caller, &release.id, artifact.clone()).await.unwrap_err().kind(),
            service.remove_artifact(caller, &release.id, "fw.img").await.unwrap_err().kind(),
            service.attach(caller, &release.id, attachment.clone()).await.unwrap_err().kind(),
            service.detach(caller, &release.id, kind, "sbom.file").await.unwrap_err().kind(),
            service.check_release(caller, &release.id).await.unwrap_err().kind(),
            service.publish_release(caller, &release.id, None).await.unwrap_err().kind(),
            service.publish_release(caller, &release.id, Some("x")).await.unwrap_err().kind(),
            service.withdraw_release(caller, &release.id, "x").await.unwrap_err().kind(),
            service.discard_release(caller, &release.id).await.unwrap_err().kind(),
            service.release_proof(caller, &release.id).await.unwrap_err().kind(),
            service.release_gate(caller, &org, &line).await.unwrap_err().kind(),
            service
                .set_release_gate(caller, &org, &line, Gate::default())
                .await
                .unwrap_err()
                .kind(),
        ];
        assert_eq!(kinds, [ErrorKind::NotFound; 22], "{caller}");
    }
    // The same contents under one's own name show nothing of who else has them.
    let own = NewUpload { organisation: id("stranger"), sha256: file, length: 9 };
    let begun = service.begin_blob(&stranger.admin, own).await.unwrap();
    assert_eq!((begun.state, begun.received), (UploadState::Receiving, 0));
    // A release of one's own does not take another's file.
    let mine = NewRelease {
        organisation: id("stranger"),
        product: product("lamp"),
        ..new_release("1.0", 1)
    };
    let mine = service.create_release(&stranger.admin, mine).await.unwrap().id;
    let stolen = service.add_artifact(&stranger.admin, &mine, artifact).await;
    assert_eq!(code(stolen), "not-found");
    let stolen = service.attach(&stranger.admin, &mine, attachment).await;
    assert_eq!(code(stolen), "not-found");
}

#[tokio::test]
async fn publication_takes_two_where_the_organisation_says_so() {
    let world = World::with(crate::people::with_console()).await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let administrator = policy::Role::Administrator.into();
    let one = crate::people::person(&world, &id("maker"), "ichiro", administrator).await;
    let two = crate::people::person(&world, &id("maker"), "jiro", administrator).await;
    let service = &world.service;
    let act = policy::Act::PublishRelease;
    service.set_approval_policy(&one.caller, &id("maker"), act, true).await.unwrap();
    let release = draft(service, &maker.admin, "1.0", 1).await;
    let waits = service.publish_release(&one.caller, &release.id, None).await.unwrap_err();
    assert_eq!(waits.code(), "needs-second-person");
    let approval = waits.approval().unwrap();
    let view = service.approval(&two.caller, &approval).await.unwrap();
    assert!(view.summary.contains("1.0") && view.summary_ja.contains("gate"), "{}", view.summary);
    // What is changed meanwhile is another question.
    let late = upload(service, &maker.admin, "maker", b"late").await.unwrap();
    let late = NewArtifact { name: "late".into(), sha256: late, hardware_ids: Vec::new() };
    service.add_artifact(&maker.admin, &release.id, late).await.unwrap();
    let approved = service.approve(&two.caller, &approval).await.unwrap();
    assert_eq!(approved.outcome.as_deref(), Some("release-changed"));
    let view = service.release(&one.caller, &release.id).await.unwrap();
    assert_eq!(view.state, ReleaseState::Draft);
    let again = service.publish_release(&one.caller, &release.id, None).await.unwrap_err();
    let approval = again.approval().unwrap();
    service.approve(&two.caller, &approval).await.unwrap();
    let view = service.release(&one.caller, &release.id).await.unwrap();
    assert_eq!(view.state, ReleaseState::Published);
    assert_eq!(view.published_by.as_deref(), Some("person maker/ichiro"));
}

/// Every fault on the way of a file, both outcomes: after the next opening the file is there, or its
/// upload goes on; nothing else is left on the disk.
#[tokio::test]
async fn a_crash_at_every_point_loses_nothing_and_leaves_nothing() {
    for point in fault::BLOB_POINTS {
        let armed = Arc::new(AtomicBool::new(false));
        let trigger = armed.clone();
        let faults =
            fault::Faults::injected(move |name| name == point && trigger.load(Ordering::SeqCst));
        let (world, maker) = world(Config { faults: Some(faults), ..config() }).await;
        let admin = &maker.admin;
        let kept = upload(&world.service, admin, "maker", b"kept").await.unwrap();
        let gone = upload(&world.service, admin, "maker", b"gone").await.unwrap();
        let release = draft(&world.service, admin, "1.0", 1).await.id;
        let new = NewArtifact { name: "kept".into(), sha256: kept, hardware_ids: Vec::new() };
        world.service.add_artifact(admin, &release, new).await.unwrap();
        world.clock.advance(8 * 86_400);
        armed.store(true, Ordering::SeqCst);
        let new =
            NewUpload { organisation: id("maker"), sha256: sha256(b"0123456789"), length: 10 };
        let begun = world.service.begin_blob(admin, new.clone()).await.unwrap();
        let mut writer = world.service.append_blob(admin, &begun.id, 0).await.unwrap();
        writer.write(b"0123456789".to_vec()).await.unwrap();
        let received = writer.close().await.is_ok();
        let early = [fault::BEFORE_SYNC, fault::BEFORE_RECEIVED].contains(&point);
        assert_eq!(received, !early, "{point}");
        if point == fault::BEFORE_REMOVAL {
            assert_eq!(code(world.service.sweep()), "injected-fault");
        } else if received {
            // The keeper meets the fault on its own thread; closing waits for it.
            let service = world.service.clone();
            let (admin, id) = (admin.clone(), begun.id);
            let finish = tokio::spawn(async move { service.finish_blob(&admin, &id).await });
            while world.service.upload(&maker.admin, &begun.id).await.unwrap().state
                == UploadState::Receiving
            {
                tokio::task::yield_now().await;
            }
            finish.abort();
        }
        world.service.close();

        let service = open(world.path(), config(), &world.clock);
        let now = service.begin_blob(admin, new).await.unwrap();
        if !early {
            assert_eq!(now.received, 10, "{point}: acknowledged bytes are there");
        }
        upload(&service, admin, "maker", b"0123456789").await.unwrap();
        service.sweep().unwrap();
        let mut left: Vec<String> = files(world.path());
        left.retain(|name| name.starts_with("uploads/"));
        assert!(left.is_empty(), "{point}: {left:?}");
        service.open_blob(admin, &id("maker"), &kept).await.unwrap();
        assert_eq!(code(service.open_blob(admin, &id("maker"), &gone).await), "not-found");
        let whole = files(world.path());
        // image, SBOM, kept, the new one
        assert_eq!(whole.len(), 4, "{point}: {whole:?}");
        service.close();
    }
}

const DIRECTORY: &str = "TEGATA_TEST_BLOBS";

/// What the next test runs in a process of its own and kills; by itself it does nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    use std::io::Write as _;
    let Ok(dir) = std::env::var(DIRECTORY) else { return };
    let world = World::at(Path::new(&dir), config()).await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let (service, admin) = (&world.service, &maker.admin);
    let say = |text: String| {
        let mut out = std::io::stdout();
        writeln!(out, "{text}").unwrap();
        out.flush().unwrap();
    };
    // More rounds than any point needs: whoever is to die dies long before.
    for round in 0..1000 {
        let bytes = format!("file {round}").repeat(1000).into_bytes();
        let sha256 = upload(service, admin, "maker", &bytes).await.unwrap();
        say(format!("held {sha256}"));
        let version = format!("{round}.0");
        let release = service.create_release(admin, new_release(&version, 1)).await.unwrap().id;
        let new = NewArtifact { name: "fw.img".into(), sha256, hardware_ids: Vec::new() };
        service.add_artifact(admin, &release, new).await.unwrap();
        let published = service.publish_release(admin, &release, Some("test")).await.unwrap();
        say(format!("published {release} {}", published.leaf.unwrap()));
        // One that nobody needs, old enough to be removed.
        upload(service, admin, "maker", format!("waste {round}").as_bytes()).await.unwrap();
        world.clock.advance(8 * 86_400);
        service.sweep().unwrap();
    }
}

#[tokio::test]
async fn killed_at_every_point_of_a_file() {
    use std::{
        io::{BufRead as _, BufReader},
        process::{Command, Stdio},
    };
    for (point, times) in [
        (fault::BEFORE_SYNC, 5),
        (fault::BEFORE_RECEIVED, 5),
        (fault::BEFORE_PLACE, 5),
        (fault::BEFORE_HELD, 5),
        (fault::BEFORE_REMOVAL, 4),
        (fault::BEFORE_COMMIT, 110),
        (fault::AFTER_COMMIT, 117),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["releases::child", "--exact", "--nocapture", "--test-threads=1"])
            .env(DIRECTORY, dir.path())
            .env(fault::VARIABLE, format!("{point}:{times}"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines: Vec<String> =
            BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok).collect();
        let status = child.wait().unwrap();
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        assert_eq!(signal, Some(9), "{point} was not reached");
        // The integrator commits by time; the other points are met by files alone.
        let by_files = fault::BLOB_POINTS.contains(&point);
        let held = lines.iter().any(|line| line.starts_with("held"));
        assert!(held || !by_files, "{point}: {lines:?}");

        let clock = crate::world::TestClock::new();
        clock.advance(30 * 365 * 86_400);
        let service = open(dir.path(), config(), &clock);
        let rows = |sql: &str| -> i64 {
            let connection = rusqlite::Connection::open(dir.path().join("tegata.db")).unwrap();
            connection.query_row(sql, [], |row| row.get(0)).unwrap()
        };
        // What was being verified is verified again.
        while rows("SELECT count(*) FROM upload WHERE state = 1") > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        service.sweep().unwrap();
        service.integrate_now().await.unwrap();
        let check = service.check_log(&service.local_administrator()).await.unwrap();
        assert!(check.problems.is_empty(), "{point}: {:?}", check.problems);
        // What is on record is on disk, whole; what is on disk is on record.
        let on_disk = files(dir.path());
        assert_eq!(rows("SELECT count(*) FROM blob"), i64::try_from(on_disk.len()).unwrap());
        for name in &on_disk {
            let bytes = std::fs::read(dir.path().join("blobs").join(name)).unwrap();
            assert_eq!(sha256(&bytes).to_string(), name.replace('/', ""), "{point}");
        }
        for line in &lines {
            let words: Vec<&str> = line.split(' ').collect();
            // The last one may have been held and not yet named: then it is swept by now.
            if let ["published", release, leaf] = words.as_slice() {
                let sql = format!(
                    "SELECT count(*) FROM release JOIN artifact ON artifact.release = release.id
                     JOIN blob_held ON blob_held.blob = artifact.blob
                     JOIN statement ON statement.leaf = release.leaf
                     WHERE reference = x'{release}' AND release.leaf = {leaf} AND state = 1"
                );
                assert_eq!(rows(&sql), 1, "{point} lost {line}");
            }
        }
        service.close();
    }
}

#[tokio::test]
async fn nothing_is_published_or_overruled_that_nobody_saw() {
    let (world, maker) = world(config()).await;
    let (service, admin) = (&world.service, &maker.admin);
    let gate = async |provenance| {
        let gate = Gate { tests: true, provenance, ..Gate::default() };
        service.set_release_gate(admin, &id("maker"), &product("gate"), gate).await.unwrap();
    };
    gate(false).await;
    let release = draft(service, admin, "1.0", 1).await.id;
    let look = async || service.release_seen(admin, &release).await.unwrap();
    let publish = async |seen: &ReleaseSeen| {
        service.publish_release_as_seen(admin, &release, Some("on paper"), Some(seen)).await
    };
    // Somebody puts another file in the place of the one that was looked at.
    let seen = look().await;
    assert_eq!(seen.open, ["tests"]);
    service.remove_artifact(admin, &release, "fw.img").await.unwrap();
    let other = upload(service, admin, "maker", b"another image").await.unwrap();
    let other = NewArtifact { name: "fw.img".into(), sha256: other, hardware_ids: Vec::new() };
    service.add_artifact(admin, &release, other).await.unwrap();
    assert_eq!(code(publish(&seen).await), "release-changed");
    // More of the gate is open than the reason was given for.
    let seen = look().await;
    gate(true).await;
    let refused = publish(&seen).await.unwrap_err();
    assert_eq!(refused.code(), "release-changed");
    assert!(refused.to_string().contains("provenance"), "{refused}");
    let published = publish(&look().await).await.unwrap();
    assert_eq!(published.overruled, ["tests", "provenance"]);
    assert_eq!(
        code(service.release_seen(&world.owner("else").await.admin, &release).await),
        "not-found"
    );
}
