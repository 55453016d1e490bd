/// Declares the actions once: variant, stable name, group in the documentation, text.
macro_rules! actions {
    ($($variant:ident $name:literal $text:literal,)+) => {
        /// Everything a caller can ask of the platform. What is public (CA certificates, EST
        /// csrattrs, CRL, OCSP, tiles, checkpoints, health) is [`Action::ReadPublic`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action {
            $(#[doc = $text] $variant,)+
        }

        impl Action {
            /// Every action, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Stable name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it is, for people.
            pub fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }
    };
}

actions! {
    ReadPublic "read-public" "read CA certificates, CRLs, OCSP answers, tiles, checkpoints, health",
    CreateOrganisation "create-organisation" "create an organisation with its first administrator",
    ConfirmAuthority "confirm-authority" "confirm an authority that another administrator of the platform registered",
    ListOrganisations "list-organisations" "list all organisations",
    ConfigurePlatform "configure-platform" "change settings, unseal and replace keys of the platform",
    ReadPlatformStatus "read-platform-status" "read metrics and the state of keys, queues and witnesses",
    CheckLog "check-log" "check the whole log against the store",
    ReadOrganisation "read-organisation" "read an organisation's own record",
    ChangeOrganisation "change-organisation" "change an organisation's name and settings",
    SuspendOrganisation "suspend-organisation" "suspend an organisation, resume it, change its name",
    ReadMembers "read-members" "list members and their roles",
    ManageMembers "manage-members" "add and remove members, change roles, issue their certificates",
    ManageOwnTokens "manage-own-tokens" "grant oneself a token with no more roles, end it",
    RevokeToken "revoke-token" "end another member's token",
    RegisterSigner "register-signer" "register a key that signs life events for the organisation",
    RetireSigner "retire-signer" "retire or revoke such a key",
    ManageMessageKey "manage-message-key" "make and replace the key that devices encrypt messages for",
    CreateProduct "create-product" "create a product line",
    ChangeProduct "change-product" "change a product line",
    ReadProduct "read-product" "read product lines",
    CreateIssuingCa "create-issuing-ca" "create an issuing CA",
    RetireIssuingCa "retire-issuing-ca" "retire or revoke an issuing CA",
    IssueServiceCertificate "issue-service-certificate" "issue a certificate for a server or application",
    ReadCertificate "read-certificate" "read issued certificates",
    RevokeCertificate "revoke-certificate" "revoke a device's certificate",
    RevokeMemberCertificate "revoke-member-certificate" "revoke a certificate of a member, signer or server",
    ReleaseCode "release-code" "release or withdraw a one-time enrolment code",
    ImportPurchaseList "import-purchase-list" "import a purchase list, whose devices may enrol",
    IssueChipCertificate "issue-chip-certificate" "issue a chip's certificate at manufacture",
    RegisterDevice "register-device" "enter a device in the register",
    EnrolDevice "enrol-device" "get a device its first certificate",
    ReenrolDevice "reenrol-device" "renew a device's certificate",
    GenerateDeviceKey "generate-device-key" "have the platform generate a device's key (EST serverkeygen)",
    ListDevices "list-devices" "list and search the organisation's devices",
    ReadDevice "read-device" "read a device's record and standing",
    ReadHistory "read-history" "read a device's life events and their proofs",
    ReportEvent "report-event" "report a life event, signed by the caller's own organisation",
    VerifyDevice "verify-device" "challenge a device and get the verdict with its reasons",
    VerifyStranger "verify-stranger" "get only the verdict on a device at hand that is not on record for the caller",
    ExportPassport "export-passport" "export a device's passport file",
    ShareDevice "share-device" "share a device with another organisation, end the sharing",
    SuspendDevice "suspend-device" "suspend a device",
    ReleaseDevice "release-device" "release a suspended device",
    RevokeDevice "revoke-device" "revoke a device for good",
    TransferDevice "transfer-device" "offer a device to a new owner, cancel the offer",
    AcceptTransfer "accept-transfer" "accept an offered device",
    RetireDevice "retire-device" "retire or dispose of a device",
    EraseDevice "erase-device" "erase the contents of a device's history",
    ErasePerson "erase-person" "erase a person's traces in what the organisation reported",
    ReadAuditLog "read-audit-log" "read the organisation's security events",
    ManageOwnAccount "manage-own-account" "manage one's own passkeys, sessions and preferences",
    ReadPeople "read-people" "list people who sign in, and their roles",
    InvitePerson "invite-person" "invite a person, withdraw an invitation",
    ManagePeople "manage-people" "change a person's roles, remove a person, end its sessions",
    RecoverPerson "recover-person" "ask that a person who lost every passkey be let in again",
    ReadApprovals "read-approvals" "read what waits, or waited, for a second person",
    Approve "approve" "approve or reject what another person asked for",
    ReadRelease "read-release" "read releases, their gate and the state of image repository and director",
    ManageRelease "manage-release" "upload files, make and change drafts of releases, withdraw releases",
    PublishRelease "publish-release" "publish a release, hand in metadata that was signed offline",
    OverruleGate "overrule-gate" "publish a release although its gate is not met",
    ChangeGate "change-gate" "change what a product's releases must have",
    ManageRepository "manage-repository" "begin an image repository or a director, change keys, roots and who may read images",
    ReadImages "read-images" "read signed metadata and images of releases",
    ReadCampaign "read-campaign" "read campaigns, their progress and results, and consents to updates",
    ProposeCampaign "propose-campaign" "propose a campaign",
    StartCampaign "start-campaign" "start, resume or roll back a campaign",
    SteerCampaign "stop-campaign" "pause or cancel a campaign",
    ConsentUpdates "consent-updates" "let a maker update one's devices, end that",
    PollUpdate "poll-update" "ask what to run, and say what came of it",
    ReadVulnerabilities "read-vulnerabilities" "read vulnerabilities, SBOMs and statements about an organisation's products",
    ManageSboms "manage-sboms" "attach an SBOM to a version of a product's software",
    ImportAdvisories "import-advisories" "import advisories: the platform's for everybody, others' for their own products",
    ReadCases "read-cases" "read cases that must be reported (CRA article 14), and drafts of the reports",
    ManageCases "manage-cases" "open such cases, fill them in, put reports on record, close them",
    JudgeVulnerability "judge-vulnerability" "state whether a product is affected by a vulnerability (VEX), withdraw a statement",
    ManageUpdateTokens "manage-update-tokens" "choose how devices come through the hawkBit DDI door, make and end their tokens",
    ReadDiagnosis "read-diagnosis" "read diagnoses, evidence and what stands in the way of operation",
    AnswerDiagnosis "answer-diagnosis" "open diagnoses of products, answer them, import answers",
    SignDiagnosis "sign-diagnosis" "sign a diagnosis",
    AddEvidence "add-evidence" "hand in test results, coverage, findings and provenance, collect live evidence",
    ReadThreatModel "read-threat-model" "read threat models and impact assessments of products, what was decided about threats, the trace to verdicts",
    ChangeThreatModel "change-threat-model" "change a product's threat model, answer its impact assessments, decide on measures against threats",
    DecideThreat "decide-threat" "accept, transfer, dismiss, rate or explain a threat, take that back; conclude an impact assessment",
    EnterOperation "enter-operation" "let a product line enter operation, take it back",
    OverruleOperation "overrule-operation" "let a product line enter operation although its gate is not met",
    ManageOperationGate "manage-operation-gate" "choose what product lines need for operation, and approved components",
    PublishMessages "publish-messages" "send messages and hear those that are for oneself",
    ReadMessages "read-messages" "read the messages of the organisation's devices, and what was refused",
    CommandDevice "command-device" "give commands and settings to the organisation's devices",
    ResetDevice "reset-device" "have a device forget its settings or erase its keys",
    ReadPolicies "read-policies" "read the organisation's policies for the doors, explain decisions",
    ManagePolicies "manage-policies" "put in and test versions of the policies for the doors",
    ActivatePolicies "activate-policies" "put policies for the doors in force",
    ManagePeerTrust "manage-peer-trust" "choose which devices the organisation's own trust without the platform",
    FetchTrustBundle "fetch-trust-bundle" "get the trust bundle of a device",
    ReadRoutes "read-routes" "read routes of messages, how they stand, rows and dead messages; try a rule",
    ManageRoutes "manage-routes" "make, change, pause and end routes of messages, retry and discard dead messages",
    DeclarePurposes "declare-purposes" "declare, change and end what data of a product line is for",
    ReadConsents "read-consents" "read what the organisation agreed to, for which of its devices' data",
    GiveConsent "give-consent" "agree to purposes of devices' data, withdraw that",
    ReportFlows "report-flows" "hand in what connections the organisation's devices were seen to have",
    ReadAlerts "read-alerts" "read the organisation's alerts with what they rest on, and the rules",
    HandleAlerts "handle-alerts" "acknowledge and close alerts, write what was found",
    ManageAlertRules "manage-alert-rules" "change, switch off and add rules of alerts, and where alerts go",
    ManageApprovalPolicy "manage-approval-policy" "choose which acts need a second person",
}

impl Action {
    /// Reads a stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.name() == name)
    }

    /// What a caller needs who reports a life event of this kind. The state machine decides
    /// further which organisation may report it in which state.
    pub fn for_event(kind: device::Kind) -> Self {
        use device::Kind;
        match kind {
            Kind::Suspended => Self::SuspendDevice,
            Kind::Released => Self::ReleaseDevice,
            Kind::Revoked => Self::RevokeDevice,
            Kind::Retired | Kind::Disposed => Self::RetireDevice,
            Kind::TransferOffered | Kind::TransferCancelled => Self::TransferDevice,
            Kind::TransferAccepted => Self::AcceptTransfer,
            Kind::Erased => Self::EraseDevice,
            Kind::CredentialRevoked => Self::RevokeCertificate,
            Kind::ChipMade | Kind::Assembled => Self::RegisterDevice,
            _ => Self::ReportEvent,
        }
    }
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}
