//! Use cases, transactions, durability and recovery: the one crate that writes state.
//!
//! [`Service`] is a cheap handle; every use case is a method that takes a [`Caller`] and goes
//! through one gate (`Service::authorize`, which asks `policy`), except what is public: CA
//! certificates, CRLs, OCSP, tiles, checkpoints, proofs, challenges, health. One file per family:
//!
//! | file | use cases |
//! | --- | --- |
//! | `service` | [`Service::create`], [`Service::open`], [`Service::close`] |
//! | `ceremony`, `authorities` | [`ceremony::Root`]; request and install CAs, trust store |
//! | `own_keys` | what the platform issues to itself |
//! | `callers` | identify by certificate, token or code; tokens; standing of certificates |
//! | `organisations`, `members`, `signers`, `products` | what their names say |
//! | `csr` | certificates for servers and applications |
//! | `devices` | register, codes, purchase lists, shares, public page |
//! | `fleet` | search, saved views, acts on behalf, bulk jobs, export, figures |
//! | `enrol` | enrol, re-enrol, server-side keys, chips in batches, renewal |
//! | `events` | record events, history, head; suspend, release, revoke on behalf |
//! | `certificates` | list, revoke, suspend, release |
//! | `verdict`, `passport` | challenge, verify, prove; passport files |
//! | `ocsp`, `crl` | revocation status |
//! | `public…` | the page behind a printed number, what makers tell buyers, look-ups |
//! | `platform` | the server's own credential, the gate for doors |
//! | `doors` | checkpoint, tiles, proofs, check of the log, health |
//! | `erase` | erasure of devices', events' and persons' contents |
//! | `people` | accounts, one-time links, passkeys, sessions |
//! | `approvals` | requests for a second person, decisions, policy |
//! | `updates` | uploaded files, releases and their gate, image repositories, campaigns, assignments |
//! | `diagnoses` | diagnoses by the check sheet, answers, figures, sign-off |
//! | `threats` | threat models, decisions about threats, the trace to verdicts |
//! | `vulnerabilities` | SBOMs, advisories, VEX, which software and devices are affected |
//! | `alerts` | rules over security events, alerts, what is done about them |
//! | `behaviour` | what devices usually do, learned, and what leaves it |
//! | `messages` | messages of devices, what was refused of them |
//! | `device_log` | the logs that devices hand over |
//! | `mud` | which connections makers say that devices need, and what leaves that |
//! | `policies` | an organisation's policies for the doors: versions, tests, what is in force, why |
//! | `peers` | trust between devices: what owners choose, the bundle of each device |
//! | `purposes` | what data of devices is for, and who agreed to it |
//! | `schemas` | what payloads must be: versions, tests, what is in force, what came of payloads |
//! | `reports` | audit chain, accounts of keys, key policy, expiry, statistics |
//!
//! How durability works: commands go over a queue to one writer thread, which gathers what waits
//! into one SQLite transaction (WAL, `synchronous=FULL`) with a savepoint each, and answers after
//! the commit. Leaves of the ledger are rows of the same transaction; an integrator thread turns
//! them into tiles and checkpoints. docs/store.md describes tables, recovery and fault points.
//!
//! Deliberately absent: sockets, HTTP, wire types, PostgreSQL.

mod alerts;
mod approvals;
mod audit_checks;
mod audit_trail;
mod authorities;
mod behaviour;
mod ca;
mod cache;
mod callers;
mod came_from;
pub mod ceremony;
mod certificates;
mod commands;
mod config;
mod crl;
mod csr;
mod device_log;
mod devices;
mod diagnoses;
mod doors;
mod enrol;
mod erase;
mod error;
mod events;
pub mod fault;
mod fleet;
mod issue;
mod japanese;
mod join;
mod keys;
mod live;
mod members;
mod message_keys;
mod messages;
mod mud;
mod names;
mod ocsp;
mod organisation_standing;
mod organisations;
mod own_keys;
mod page;
mod passport;
mod peers;
mod people;
mod place;
mod platform;
mod policies;
mod pool;
mod products;
mod public;
mod public_label;
mod public_product;
mod public_scan;
mod purposes;
mod raw_keys;
mod record;
mod reports;
mod routes;
mod schemas;
mod seed;
mod sequencer;
mod service;
mod signers;
mod store;
mod streams;
mod threats;
mod updates;
mod verdict;
mod vulnerabilities;
mod witnessed;

pub use alerts::{
    ALERT_NOTE_CHARS_MAX, ALERT_RECEIVERS_MAX, AlertDetail, AlertDevice, AlertEvidence, AlertNote,
    AlertNotice, AlertQuery, AlertReceiverView, AlertRuleOrigin, AlertRuleView, AlertSettings,
    AlertState, AlertTarget, AlertTold, AlertView, AutomaticQuarantine, MAIL_TO_MAX,
    NewAlertReceiver, OpenedAlertReceiver, PutAlertReceiver, QUARANTINE_PER_HOUR,
    QUARANTINE_PER_HOUR_MAX,
};
pub use approvals::{
    ApprovalDevice, ApprovalDevices, ApprovalId, ApprovalIdError, ApprovalQuery, ApprovalState,
    ApprovalView, Continuation, Continued, Decision, PolicyLine,
};
pub use audit_trail::AuditQuery;
pub use authorities::{CaView, TrustStore};
pub use behaviour::{BehaviourDevice, BehaviourProfile, ProfileChange};
pub use ca::CaKind;
pub use callers::{CertificateStanding, IssuedToken, TokenView};
pub use came_from::CameFrom;
pub use ceremony::{CaRequest, CaSpec};
pub use certificates::{CertificateId, CertificateQuery, CertificateStatus, CertificateView};
pub use commands::{
    COMMAND_LIFETIME_MAX_S, COMMAND_LIFETIME_MIN_S, COMMANDS_OPEN_MAX, CommandState, CommandView,
    ConfigurationVersion, ConfigurationView, Downlink, ErasureView, NewCommand, NewConfiguration,
    ReportedView,
};
pub use config::{Clock, Config, Limits, PeopleConfig, Places, Setup, Urls, WitnessClient};
pub use crl::{CrlView, ROOT as ROOT_CA};
pub use device_log::{DeviceLogEntryView, DeviceLogStretchView};
pub use devices::{
    CodeView, DeviceQuery, DeviceRelation, DeviceView, NewDevice, PublicDeviceView, Purchase,
    ReleasedCode,
};
pub use diagnoses::{
    AnswerView, CatalogueFigures, ChangeView, DiagnosedProduct, DiagnosisComparison,
    DiagnosisFigures, DiagnosisId, DiagnosisImport, DiagnosisImported, DiagnosisReport,
    DiagnosisState, DiagnosisView, EvidenceView, ForeignResults, ImportForm, ItemQuery, ItemView,
    NewDiagnosis, NewEvidence, OperationChange, OperationPolicy, OperationState, OperationView,
    OscalWanted, SignedBy, check_sheet, unusable_report_font,
};
pub use doors::{Health, LogCheck};
pub use enrol::{ChipRequest, EnrolRequest, Enrolled};
pub use error::{ErrorKind, Problem, ServiceError};
pub use events::{EventView, Head};
pub use fleet::{
    ATTENTION_DAYS, ActPreview, Attention, BulkAct, BulkPreview, Consequence, Counted,
    DayOfVerdicts, DeviceAct, DeviceExport, DeviceLine, DeviceList, DeviceOrder, DeviceReport,
    DeviceSearch, JOB_DEVICES_MAX, JobId, JobResult, JobState, JobView, LastVerdict, LogHealth,
    NewestEvent, OVERVIEW_DAYS, Overview, OwnerSince, PARTS_DEPTH_MAX, PARTS_SHOWN_MAX, PartNode,
    ProofState, REASON_CHARS_MAX, REPORT_CERTIFICATES_MAX, REPORT_EVENTS_MAX, ReportLog,
    SELECTED_MAX, SUPPORT_DAYS, SUPPORT_SHOWN_MAX, SavedView, Selection, SupportWatch,
    TimelineEntry, VIEWS_MAX, VerdictFilter, WitnessHealth,
};
pub use members::{MemberView, NewMember};
pub use message_keys::{
    MESSAGE_KEY_ACCEPTED_S, MESSAGE_KEY_ACCEPTED_S_MAX, MessageKeyView, NewMessageKey,
};
pub use messages::{
    DeviceHere, DoorSender, DoorTraffic, IncomingMessage, MessageDoor, MessageRefused, MessageView,
    RefusedView, RetainedMessage, SignedTaken, SignedTopics, StandingChanges, TRAFFIC_KEPT_S,
    TRAFFIC_SPAN_S,
};
pub use mud::{
    FlowsJudged, HowToSuggest, MudFile, MudLearned, MudOutside, MudReferenceView, MudView,
    NamedSigner, NewMud, OutsideDay, OutsideNow, OutsideOfDevice, OutsideSource, PublicMud,
    PublicMudLines,
};
pub use ocsp::OcspAnswer;
pub use organisations::{NewOrganisation, OrganisationView};
pub use own_keys::{OwnKeyKind, RotatedKey};
pub use page::{Page, Paged};
pub use passport::ExportedPassport;
pub use peers::{
    MadeTrustBundle, NewPeerTrust, PeerAuthorityView, PeerBundleCounts, PeerBundleView,
    PeerTrustContents, PeerTrustView,
};
pub use people::{
    Ceremony, FirstAdministrator, Invited, Link, LinkPurpose, LinkView, NewPerson, Opened,
    PasskeyView, PersonState, PersonView, Resumed, SessionView, SignedIn, Theme, Visitor,
};
pub use place::{Network, PlaceTable};
pub use platform::ServerCredential;
pub use policies::{
    ExplainedDecision, NewPolicySet, POLICY_DRAFTS_MAX, PolicyActivation, PolicyEffect,
    PolicyQuestion, PolicySetState, PolicySetTested, PolicySetTexts, PolicySetView,
};
pub use policy::Caller;
pub use products::{NewProduct, ProductView};
pub use public::{Finding, PublicPassport, PublicPhase, PublicWarning, Sureness, UpdateState};
pub use public_label::LabelFacts;
pub use public_product::{
    Firmware, LABELS_MAX, LabelScheme, ProductChange, ProductPublic, SecurityLabel,
};
pub use public_scan::{PublicVisitor, ScanAlarm, ScanView};
pub use purposes::{
    ConsentDecisionView, NewConsentDecision, ProductConsents, PurposeConsent, PurposeView,
};
pub use record::Recorded;
pub use reports::{AuditCheck, AuditView, KeyAccount, KeyUseView, Statistics};
pub use routes::{
    DeadMessage, Lane, LaneFailure, LaneOutcome, NewRoute, OpenedRoute, PutRoute, QueuedMessage,
    ROUTE_LIMITS, ROUTES_MAX, RouteLimits, RouteRowQuery, RouteTarget, RouteView, RoutedRow,
    SAMPLES_MAX, Sample, TargetError, TriedMessage, read_rule,
};
pub use schemas::{
    NewSchema, SCHEMA_DRAFTS_MAX, SCHEMAS_IN_FORCE_BYTES_MAX, SCHEMAS_IN_FORCE_MAX, SCHEMAS_MAX,
    SchemaActivation, SchemaFound, SchemaMode, SchemaStrictness, SchemaTested, SchemaTexts,
    SchemaView,
};
pub use service::Service;
pub use signers::{NewSigner, SIGNER_PROOF_CONTENT_TYPE, SignerView, signer_proof};
pub use streams::{
    AuditStreamView, NewAuditStream, OpenedStream, STREAMS_MAX, StreamPlace, StreamTarget,
    StreamedEvent,
};
pub use threats::{
    FormStanding, ImpactAnswerView, ImpactLooked, NewImpactAnswers, NewThreatDecision,
    NewThreatModel, ReportTrace, THREAT_MODEL_BYTES_MAX, THREATS_MAX, ThreatChange, ThreatChanges,
    ThreatDecisionView, ThreatModelPut, ThreatModelVersion, ThreatModelView, ThreatMoved,
    ThreatPreview, ThreatsLooked, TraceLooked, rule_book,
};
pub use updates::{
    Artifact, AssignedArtifact, AssignedDelta, AssignedSealing, Assignment, Attachment,
    AttachmentKind, AttachmentSummary, BlobReader, BlobWriter, CampaignDevice,
    CampaignDeviceFilter, CampaignId, CampaignMoment, CampaignPreview, CampaignView, ConsentView,
    DeviceSoftware, DirectorView, Execution, FEEDBACK_CHARS_MAX, Feedback, GATEWAY_DEVICES_MAX,
    GROUP_TICKETS_MAX, Gate, GateItem, IssuedUpdateToken, NewArtifact, NewAttachment, NewCampaign,
    NewRelease, NewUpload, OnlineKey, Poll, Purpose, ReleaseId, ReleaseProof, ReleaseQuery,
    ReleaseSeen, ReleaseState, ReleaseView, RepositoryView, RoleState, SEEN_MAX, SELF_TESTS_MAX,
    Sealing, SeenMetadata, SelfTestFinding, SelfTestOutcome, SelfTestView, SignedMetadata,
    TICKETS_MAX, TRIAL_MEMBERS_MAX, UPDATE_TOKEN_DAYS_MAX, UpdateDecision, UpdateDoor,
    UpdateIdError, UpdateTokenKind, UpdateTokenView, UploadId, UploadState, UploadView,
};
pub use updates::{FREEZE_TOLERANCE_S, KnownMetadata, UPDATE_POLL_S};
pub use verdict::VerifyRequest;
pub use vulnerabilities::{
    AdvisoryOutcome, AdvisoryResult, BlockingVulnerability, CampaignDraft, CaseChange, CaseDraft,
    CaseId, CaseLine, CaseView, CaseWatch, DOCUMENTS_MAX, ExploitedFact, ExposureStatus,
    ExposureView, FixHistory, FixTarget, FixedShare, FleetFigures, FleetSide, FoundComponent,
    FoundReason, Knowledge, NewCase, NewSbom, NewStatement, RunningVersion, SaidFact, SbomView,
    SoftwareView, StatementId, StatementView, TroubledFile, VexImport, VulnerabilityCampaign,
    VulnerabilityDetail, VulnerabilityGate, VulnerabilityLine, VulnerabilityQuery,
    VulnerabilityState, VulnerableDevice, VulnerableExport,
};
