//! Generated protobuf messages, services and the file descriptor set.
//!
//! Owns the wire: everything under `proto/`, as prost messages, tonic clients and servers, one module per package
//! (`florin_api::account::v1` is `florin.account.v1`). Refuses to know what a message means: there is no
//! hand-written logic here, and conversions to domain types live in each slice's `convert`.
//!
//! | module | services |
//! |---|---|
//! | [`account::v1`] | `AccountService`, `AuthService`, `IssuerService` |
//! | [`payment::v1`] | `PaymentMethodService`, `PaymentService` |
//! | [`project::v1`] | `ProjectService`, `ResourceService`, `CatalogService`, `UsageService`, `FundingService`, `BudgetService` |
//! | [`credit::v1`] | `CreditOrderService`, `CreditService`, `VoucherService`, `CampaignService`, `GrantService` |
//! | [`invoicing::v1`] | `InvoiceService`, `BillingRunService` |
//! | [`operation::v1`] | `NoticeService` |
//! | [`sandbox::v1`] | `ClockService`, `PaymentOutcomeService` |
//! | `event::v1` | none: payloads of events |
//! | [`error::v1`] | none: [`error::v1::ErrorReason`] |
//! | [`money`] | none: `google.type.Money`, `Decimal`, `Date` |

#[allow(missing_docs, unreachable_pub, rustdoc::all, clippy::all, clippy::large_futures)]
#[allow(clippy::wildcard_enum_match_arm, reason = "generated code answers to its generator")]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/packages.rs"));
}

mod redacted {
    //! `Debug` of the messages with `debug_redact` fields, without their secrets.
    include!(concat!(env!("OUT_DIR"), "/redacted.rs"));
}

pub use generated::florin::*;
pub use generated::google;
/// `google.type`: how amounts, unit prices, rates and dates travel.
pub use generated::google::r#type as money;

/// The encoded `google.protobuf.FileDescriptorSet` of all packages, with imports, comments and custom options.
/// Served by reflection and given to proxies that transcode.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor.bin"));
