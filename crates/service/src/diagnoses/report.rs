//! Use case: all that a diagnosis says, for reports.

use super::{
    DiagnosisFigures, DiagnosisId, EvidenceView, ItemView, OperationView, answers::item_view,
    check_sheet, stored::total,
};
use crate::{ReportTrace, Service, ServiceError};
use assessment::{Gap, Library};
use crypto::UnixTime;
use policy::{Action, Caller, Resource};
use std::{io::Read as _, path::Path};

/// All that a diagnosis says.
#[derive(Debug, Clone)]
pub struct DiagnosisReport {
    /// counted by layer, phase and catalogue
    pub figures: DiagnosisFigures,
    /// what somebody has to see to, the heaviest first
    pub gaps: Vec<Gap>,
    /// every item, in the order of the sheet
    pub items: Vec<ItemView>,
    /// what collectors found that counts now
    pub evidence: Vec<EvidenceView>,
    /// features that the product does not have, each with a reason
    pub absent: Vec<(String, String)>,
    /// whether the product line may be in operation
    pub operation: OperationView,
    /// threats with their ways to verdicts, and impact assessments; `None` for who may not read them
    pub trace: Option<ReportTrace>,
    /// who asked for the report
    pub made_by: String,
    /// when
    pub made_at: UnixTime,
}

impl DiagnosisReport {
    /// What the report is about.
    ///
    /// # Errors
    /// None with catalogues that the tests have seen.
    pub fn library(&self) -> Result<&'static Library, ServiceError> {
        check_sheet()
    }
}

/// Where systems usually have a font with Japanese characters: Debian's packages `fonts-noto-cjk`,
/// `fonts-ipafont-gothic`, `fonts-ipaexfont-gothic`, and the same elsewhere.
const FONTS: [&str; 7] = [
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-sans-cjk-fonts/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/opentype/ipaexfont-gothic/ipaexg.ttf",
    "/usr/share/fonts/truetype/ipaexfont-gothic/ipaexg.ttf",
    "/usr/share/fonts/opentype/ipafont-gothic/ipag.ttf",
    "/usr/share/fonts/truetype/ipafont-gothic/ipag.ttf",
];
/// Largest font that is read, in bytes: that of four languages in all weights has less.
const FONT_BYTES_MAX: u64 = 64 * 1024 * 1024;

fn no_font(message: &str) -> ServiceError {
    ServiceError::unavailable(
        "report-font",
        format!(
            "{message}; install a font with Japanese characters (Debian: fonts-noto-cjk or \
             fonts-ipafont-gothic), or name one with `tegata serve --report-font`; reports as HTML \
             need none"
        ),
    )
}

/// What a font is wrong with that was read and cannot be drawn with.
pub fn unusable_report_font(why: &dyn std::fmt::Display) -> ServiceError {
    no_font(&format!("the server's font for PDF cannot be used: {why}")).in_japanese(
        "サーバーのフォントではPDFを作成できません。読み取れないか、日本語の文字がありません。管理者に、\
         tegata serve の --report-font の設定を確認するよう依頼するか、HTMLの報告書を使ってください",
    )
}

fn read_font(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path)?;
    file.take(FONT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    match u64::try_from(bytes.len()).is_ok_and(|length| length <= FONT_BYTES_MAX) {
        true => Ok(bytes),
        false => Err(std::io::Error::other("it is larger than 64 MiB")),
    }
}

impl Service {
    /// The font of reports as PDF: TrueType or OpenType. Of a collection the first is meant.
    ///
    /// # Errors
    /// `report-font` where there is none, with what to install.
    pub async fn report_font(&self) -> Result<Vec<u8>, ServiceError> {
        let named = self.config.report_font.clone();
        let read = move || match named {
            Some(path) => read_font(&path)
                .map_err(|error| no_font(&format!("{} cannot be read: {error}", path.display()))),
            None => {
                let found = FONTS.iter().find_map(|path| read_font(Path::new(path)).ok());
                found.ok_or_else(|| no_font("this system has no font for PDF"))
            }
        };
        self.pool.begin(read).outcome().await?
    }

    /// All that a diagnosis says today.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn diagnosis_report(
        &self,
        caller: &Caller,
        id: &DiagnosisId,
    ) -> Result<DiagnosisReport, ServiceError> {
        let row = self.diagnosis_for(caller, Action::ReadDiagnosis, id)?;
        let (organisation, product) = self.product_names(row.product)?;
        let (library, today) = (check_sheet()?, self.today()?);
        let (loaded, total) = self.read(|connection| {
            Ok((self.load_diagnosis(connection, &row)?, total(connection, &row, today)?))
        })?;
        let items = library.items().iter().map(|item| item_view(&loaded, item, today)).collect();
        let gaps = loaded.diagnosis.gaps(library, today);
        let absent = loaded.diagnosis.absent.iter();
        let absent = absent.map(|(feature, why)| (feature.to_string(), why.clone())).collect();
        let may = Resource::organisation(&organisation);
        let trace = match policy::authorize(caller, Action::ReadThreatModel, &may).is_ok() {
            false => None,
            true => {
                let answered = loaded
                    .entries
                    .iter()
                    .filter(|(_, row)| row.outcome.is_some())
                    .map(|(topic, row)| (topic.clone(), row.changed_by.clone()))
                    .collect();
                let of = self.product_row(&organisation, &product)?;
                Some(self.report_trace(&of, loaded.diagnosis.clone(), answered, today)?)
            }
        };
        Ok(DiagnosisReport {
            trace,
            figures: self.figures_of(row, loaded, total, today)?,
            gaps,
            items,
            absent,
            evidence: self.evidence(caller, &organisation, &product).await?,
            operation: self.operation(caller, &organisation, &product).await?,
            made_by: caller.to_string(),
            made_at: self.now(),
        })
    }
}
