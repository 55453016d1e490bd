//! The files of `catalogues/`, as they were when this was built.

use crate::{LibraryFile, LibraryFiles, threat::RuleFiles};

macro_rules! file {
    ($name:literal) => {
        LibraryFile {
            name: concat!("catalogues/", $name),
            text: include_str!(concat!("../../../catalogues/", $name)),
        }
    };
}

pub(crate) static FILES: LibraryFiles<'static> = LibraryFiles {
    features: file!("features.yaml"),
    catalogues: &[
        file!("etsi-en-303-645.yaml"),
        file!("jc-star-1.yaml"),
        file!("japan-34-10.yaml"),
        file!("california-sb-327.yaml"),
        file!("eu-cra-annex-i.yaml"),
        file!("nistir-8425.yaml"),
        file!("owasp-iot-top-10.yaml"),
        file!("nist-sp-800-171r3.yaml"),
        file!("iec-62443-4-1.yaml"),
        file!("iec-62443-4-2.yaml"),
        file!("fips-140-3.yaml"),
        file!("csa-13-steps.yaml"),
        file!("nisc-iot-framework.yaml"),
    ],
    mappings: &[file!("mappings-consumer.yaml"), file!("mappings-industry.yaml")],
    sheets: &[
        file!("checksheet/service.yaml"),
        file!("checksheet/platform.yaml"),
        file!("checksheet/network.yaml"),
        file!("checksheet/device.yaml"),
    ],
};

pub(crate) static RULES: RuleFiles<'static> = RuleFiles {
    measures: file!("threats/measures.yaml"),
    forms: file!("threats/forms.yaml"),
    rules: &[
        file!("threats/rules-device.yaml"),
        file!("threats/rules-connection.yaml"),
        file!("threats/rules-operation.yaml"),
    ],
};
