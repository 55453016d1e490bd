use crate::{Action, Role, Roles};
use std::fmt::Write as _;

/// Who may do one action. Each column is a way in which the caller stands to the resource; one
/// that fits is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// the action
    pub action: Action,
    /// roles in the organisation that the resource belongs to (a device's owner)
    pub owner: Roles,
    /// roles in an organisation that takes part in the device's life: maker, holder, the one it was
    /// shipped or offered to
    pub related: Roles,
    /// roles in an organisation that the owner shares the device with
    pub shared: Roles,
    /// roles in an organisation registered as an authority
    pub authority: Roles,
    /// roles in any organisation, whatever the resource
    pub anyone: Roles,
    /// roles in the organisation that runs the platform, whatever the resource
    pub platform: Roles,
    /// the device itself, by its certificate
    pub device: bool,
    /// the device itself, by an update token as well
    pub token: bool,
    /// the device itself, by an accepted one-time code
    pub code: bool,
    /// the platform's own commands and schedules
    pub internal: bool,
    /// everybody
    pub public: bool,
}

const NONE: Roles = Roles::NONE;
const ALL: Roles = Roles::ALL;
const A: Roles = Roles::of(&[Role::Administrator]);
const AO: Roles = Roles::of(&[Role::Administrator, Role::Operator]);
const AOS: Roles = Roles::of(&[Role::Administrator, Role::Operator, Role::Station]);
const AU: Roles = Roles::of(&[Role::Administrator, Role::Auditor]);
const AOU: Roles = Roles::of(&[Role::Administrator, Role::Operator, Role::Auditor]);
const NOT_STATION: Roles =
    Roles::of(&[Role::Administrator, Role::Operator, Role::Auditor, Role::Reader]);
const OS: Roles = Roles::of(&[Role::Operator, Role::Station]);
const S: Roles = Roles::of(&[Role::Station]);

const fn access(action: Action, owner: Roles) -> Access {
    Access {
        action,
        owner,
        related: NONE,
        shared: NONE,
        authority: NONE,
        anyone: NONE,
        platform: NONE,
        device: false,
        token: false,
        code: false,
        internal: false,
        public: false,
    }
}

impl Access {
    const fn related(self, related: Roles) -> Self {
        Self { related, ..self }
    }
    const fn shared(self, shared: Roles) -> Self {
        Self { shared, ..self }
    }
    const fn authority(self, authority: Roles) -> Self {
        Self { authority, ..self }
    }
    const fn anyone(self, anyone: Roles) -> Self {
        Self { anyone, ..self }
    }
    const fn platform(self, platform: Roles) -> Self {
        Self { platform, ..self }
    }
    const fn device(self) -> Self {
        Self { device: true, ..self }
    }
    const fn token(self) -> Self {
        Self { token: true, ..self }
    }
    const fn code(self) -> Self {
        Self { code: true, ..self }
    }
    const fn internal(self) -> Self {
        Self { internal: true, ..self }
    }
    const fn public(self) -> Self {
        Self { public: true, ..self }
    }
}

/// The rights. One row per action; `docs/access.md` shows the same.
pub const ACCESS: &[Access] = &[
    access(Action::ReadPublic, ALL).anyone(ALL).platform(ALL).device().code().internal().public(),
    access(Action::CreateOrganisation, NONE).platform(A).internal(),
    access(Action::ConfirmAuthority, NONE).platform(A),
    access(Action::ListOrganisations, NONE).platform(AU).internal(),
    access(Action::ConfigurePlatform, NONE).platform(A).internal(),
    access(Action::ReadPlatformStatus, NONE).platform(AOU).internal(),
    access(Action::CheckLog, NONE).anyone(AOU).platform(AOU).internal(),
    access(Action::ReadOrganisation, ALL).platform(AU).internal(),
    access(Action::ChangeOrganisation, A).platform(A).internal(),
    access(Action::SuspendOrganisation, NONE).platform(A).internal(),
    access(Action::ReadMembers, AU).internal(),
    access(Action::ManageMembers, A).internal(),
    access(Action::ManageOwnTokens, ALL),
    access(Action::RevokeToken, A).internal(),
    access(Action::RegisterSigner, A).internal(),
    access(Action::RetireSigner, A).platform(A).internal(),
    access(Action::ManageMessageKey, A).internal(),
    access(Action::CreateProduct, A),
    access(Action::ChangeProduct, A),
    access(Action::ReadProduct, ALL),
    access(Action::CreateIssuingCa, A).platform(A).internal(),
    access(Action::RetireIssuingCa, A).platform(A).internal(),
    access(Action::IssueServiceCertificate, A).platform(A).internal(),
    access(Action::ReadCertificate, ALL),
    access(Action::RevokeCertificate, AO).platform(A).internal(),
    access(Action::RevokeMemberCertificate, A).platform(A).internal(),
    access(Action::ReleaseCode, AO),
    access(Action::ImportPurchaseList, AO),
    access(Action::IssueChipCertificate, OS),
    access(Action::RegisterDevice, OS),
    access(Action::EnrolDevice, S).device().code(),
    access(Action::ReenrolDevice, NONE).device(),
    access(Action::GenerateDeviceKey, S).device().code(),
    access(Action::ListDevices, ALL),
    access(Action::ReadDevice, ALL).related(ALL).shared(ALL).authority(ALL).device(),
    access(Action::ReadHistory, NOT_STATION)
        .related(NOT_STATION)
        .shared(NOT_STATION)
        .authority(NOT_STATION),
    access(Action::ReportEvent, AOS).related(AOS),
    access(Action::VerifyDevice, ALL).related(ALL).shared(ALL).authority(ALL),
    access(Action::VerifyStranger, ALL).anyone(ALL),
    access(Action::ExportPassport, AOU).related(AOU).shared(AOU).authority(AOU),
    access(Action::ShareDevice, A),
    access(Action::SuspendDevice, AO).related(AO).authority(AO).internal(),
    access(Action::ReleaseDevice, AO).related(AO).authority(AO),
    access(Action::RevokeDevice, A).related(A).authority(A),
    access(Action::TransferDevice, AO),
    access(Action::AcceptTransfer, NONE).related(AO),
    access(Action::RetireDevice, AO).related(AO).authority(AO),
    access(Action::EraseDevice, A).internal(),
    access(Action::ErasePerson, A).internal(),
    access(Action::ReadAuditLog, AU).internal(),
    access(Action::ManageOwnAccount, ALL),
    access(Action::ReadPeople, AU).internal(),
    access(Action::InvitePerson, A).internal(),
    access(Action::ManagePeople, A).internal(),
    access(Action::RecoverPerson, A).internal(),
    access(Action::ReadApprovals, AOU).internal(),
    access(Action::Approve, A).internal(),
    access(Action::ReadRelease, ALL),
    access(Action::ManageRelease, AO),
    access(Action::PublishRelease, AO),
    access(Action::OverruleGate, A),
    access(Action::ChangeGate, A),
    access(Action::ManageRepository, A),
    access(Action::ReadImages, ALL).related(ALL).device(),
    access(Action::ReadCampaign, NOT_STATION),
    access(Action::ProposeCampaign, AO),
    access(Action::StartCampaign, A),
    access(Action::SteerCampaign, AO),
    access(Action::ConsentUpdates, A),
    access(Action::PollUpdate, NONE).device().token(),
    access(Action::ReadVulnerabilities, NOT_STATION),
    access(Action::ManageSboms, AOS),
    access(Action::ImportAdvisories, AO).internal(),
    access(Action::ReadCases, AOU),
    access(Action::ManageCases, AO),
    access(Action::JudgeVulnerability, AO),
    access(Action::ManageUpdateTokens, A),
    access(Action::ReadDiagnosis, ALL),
    access(Action::AnswerDiagnosis, AO),
    access(Action::SignDiagnosis, AO),
    access(Action::AddEvidence, AOS),
    access(Action::ReadThreatModel, NOT_STATION),
    access(Action::ChangeThreatModel, AO),
    access(Action::DecideThreat, A),
    access(Action::EnterOperation, A),
    access(Action::OverruleOperation, A),
    access(Action::ManageOperationGate, A),
    access(Action::PublishMessages, NONE).device(),
    access(Action::ReadMessages, AOU),
    access(Action::CommandDevice, AO),
    access(Action::ResetDevice, A),
    access(Action::ReadPolicies, AOU),
    access(Action::ManagePolicies, AO),
    access(Action::ActivatePolicies, A),
    access(Action::ManagePeerTrust, A),
    access(Action::FetchTrustBundle, AO).device(),
    access(Action::ReadRoutes, AOU),
    access(Action::ManageRoutes, A).internal(),
    access(Action::DeclarePurposes, A),
    access(Action::ReadConsents, AOU),
    access(Action::GiveConsent, A),
    access(Action::ReportFlows, AO),
    access(Action::ReadAlerts, AOU).internal(),
    access(Action::HandleAlerts, AO).internal(),
    access(Action::ManageAlertRules, A).internal(),
    access(Action::ManageApprovalPolicy, A).internal(),
];

/// The row of an action.
pub fn access_of(action: Action) -> Access {
    // A row that is missing gives nobody anything; a test keeps the table complete.
    ACCESS.iter().copied().find(|row| row.action == action).unwrap_or(access(action, NONE))
}

/// The table as Markdown, as `docs/access.md` shows it.
pub fn access_table() -> String {
    let mut table = String::from(
        "| action | owner | takes part | shared with | authority | any member | platform | others |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for row in ACCESS {
        let mut others = Vec::new();
        for (given, name) in [
            (row.public, "everybody"),
            (row.device, "the device"),
            (row.token, "update token"),
            (row.code, "code"),
            (row.internal, "internal"),
        ] {
            if given {
                others.push(name);
            }
        }
        let roles =
            [row.owner, row.related, row.shared, row.authority, row.anyone, row.platform].map(cell);
        // Writing to a String cannot fail.
        let _infallible = writeln!(
            table,
            "| `{}`: {} | {} | {} |",
            row.action,
            row.action.text(),
            roles.join(" | "),
            others.join(", ")
        );
    }
    table
}

fn cell(roles: Roles) -> String {
    if roles == Roles::ALL {
        return "all".to_owned();
    }
    let letter = |role| match role {
        Role::Administrator => "A",
        Role::Operator => "O",
        Role::Station => "S",
        Role::Auditor => "U",
        Role::Reader => "R",
    };
    roles.iter().map(letter).collect::<Vec<_>>().join(" ")
}
