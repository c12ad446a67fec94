//! What every proto of Florin must keep to, walked over the embedded descriptor set.

use std::collections::BTreeSet;

use florin_api::FILE_DESCRIPTOR_SET;
use florin_api::account::v1::CreateAccountRequest;
use florin_api::project::v1::{CreateProjectRequest, Resource, create_project_request::Funding};
use protox::prost::Message as _;
use protox::prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor,
    ReflectMessage as _, Value,
};

/// Every service there is. A new one is written here, so that it is read by somebody who compares.
const SERVICES: [&str; 24] = [
    "florin.account.v1.AccountService",
    "florin.account.v1.AuthService",
    "florin.account.v1.IssuerService",
    "florin.credit.v1.CampaignService",
    "florin.credit.v1.CreditOrderService",
    "florin.credit.v1.CreditService",
    "florin.credit.v1.GrantService",
    "florin.credit.v1.VoucherService",
    "florin.invoicing.v1.AccountingService",
    "florin.invoicing.v1.BillingRunService",
    "florin.invoicing.v1.CollectionService",
    "florin.invoicing.v1.InvoiceService",
    "florin.operation.v1.ApprovalService",
    "florin.operation.v1.NoticeService",
    "florin.payment.v1.PaymentMethodService",
    "florin.payment.v1.PaymentService",
    "florin.project.v1.BudgetService",
    "florin.project.v1.CatalogService",
    "florin.project.v1.FundingService",
    "florin.project.v1.ProjectService",
    "florin.project.v1.ResourceService",
    "florin.project.v1.UsageService",
    "florin.sandbox.v1.ClockService",
    "florin.sandbox.v1.PaymentOutcomeService",
];

/// Sent by POST because of what they carry, although they change nothing a caller could repeat by mistake.
const READS_BY_POST: [&str; 2] = [
    "florin.credit.v1.CreditOrderService.PreviewCreditOrder",
    "florin.credit.v1.VoucherService.CheckVoucher",
];

/// Mutations without a request id: every event they carry has an id of its own, which counts once.
const REPEATABLE_BY_THEMSELVES: [&str; 2] =
    ["florin.project.v1.UsageService.RecordUsage", "florin.project.v1.UsageService.StreamUsage"];

/// Where money or value moves, or a month is billed.
const MONEY_MOVES: [&str; 12] = [
    "florin.credit.v1.CreditOrderService.CreateCreditOrder",
    "florin.credit.v1.CreditOrderService.PayCreditOrder",
    "florin.credit.v1.GrantService.GrantLaunchPad",
    "florin.credit.v1.GrantService.GrantLoyalty",
    "florin.credit.v1.VoucherService.RedeemVoucher",
    "florin.invoicing.v1.BillingRunService.RetryBillingItem",
    "florin.invoicing.v1.BillingRunService.StartBillingRun",
    "florin.invoicing.v1.CollectionService.PayDebt",
    "florin.invoicing.v1.CollectionService.PayInvoice",
    "florin.invoicing.v1.CollectionService.WriteOffDebt",
    "florin.invoicing.v1.InvoiceService.CreateCreditNote",
    "florin.project.v1.ProjectService.CreateProject",
];

fn pool() -> DescriptorPool {
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("the descriptor set is complete")
}

fn our_methods(pool: &DescriptorPool) -> Vec<MethodDescriptor> {
    let methods: Vec<_> = pool
        .services()
        .filter(|service| service.package_name().starts_with("florin."))
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .collect();
    assert!(methods.len() > 60, "the walk finds methods");
    methods
}

fn is_ours(message: &MessageDescriptor) -> bool {
    message.package_name().starts_with("florin.")
}

fn extension<'a>(options: &'a DynamicMessage, name: &str) -> Option<std::borrow::Cow<'a, Value>> {
    let extension = options.descriptor().parent_pool().get_extension_by_name(name)?;
    options.has_extension(&extension).then(|| options.get_extension(&extension))
}

/// Verb and path of the method's first HTTP binding.
fn http_binding(method: &MethodDescriptor) -> Option<(String, String)> {
    let options = method.options();
    let rule = extension(&options, "google.api.http")?;
    let rule = rule.as_message()?;
    ["get", "post", "patch", "put", "delete"].into_iter().find_map(|verb| {
        let path = rule.get_field_by_name(verb)?.as_str()?.to_owned();
        (!path.is_empty()).then(|| (verb.to_owned(), path))
    })
}

fn has_behavior(field: &FieldDescriptor) -> bool {
    extension(&field.options(), "google.api.field_behavior").is_some()
}

fn message_kind(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    field.kind().as_message().filter(|message| !message.is_map_entry()).cloned()
}

/// The method's request and every message of ours inside it.
fn request_messages(method: &MethodDescriptor) -> Vec<MessageDescriptor> {
    let mut found = vec![method.input()];
    let mut next = 0;
    while next < found.len() {
        let inner: Vec<_> = found[next].fields().filter_map(|field| message_kind(&field)).collect();
        for message in inner {
            if is_ours(&message) && !found.contains(&message) {
                found.push(message);
            }
        }
        next += 1;
    }
    found
}

#[test]
fn the_descriptor_set_has_every_service_and_no_other() {
    let pool = pool();
    let found: BTreeSet<String> = pool
        .services()
        .map(|service| service.full_name().to_owned())
        .filter(|name| name.starts_with("florin."))
        .collect();
    let listed: BTreeSet<String> = SERVICES.map(str::to_owned).into();
    assert_eq!(found, listed);
}

#[test]
fn the_descriptor_set_can_decode_error_details() {
    for name in ["google.rpc.Status", "google.rpc.ErrorInfo", "google.rpc.BadRequest", "google.rpc.RetryInfo"]
    {
        assert!(pool().get_message_by_name(name).is_some(), "{name} is missing");
    }
}

#[test]
fn every_method_has_an_http_binding_whose_path_names_request_fields() {
    for method in our_methods(&pool()) {
        let (_, path) =
            http_binding(&method).unwrap_or_else(|| panic!("{} has no binding", method.full_name()));
        for variable in path.split('{').skip(1) {
            let field_path = variable.split(['=', '}']).next().expect("split yields at least one part");
            let mut message = method.input();
            for segment in field_path.split('.') {
                let field = message
                    .get_field_by_name(segment)
                    .unwrap_or_else(|| panic!("{}: {field_path} is not in the request", method.full_name()));
                if let Some(inner) = message_kind(&field) {
                    message = inner;
                }
            }
        }
    }
}

#[test]
fn no_two_methods_share_a_binding() {
    let mut seen = BTreeSet::new();
    for method in our_methods(&pool()) {
        let binding = http_binding(&method).expect("checked by another test");
        assert!(seen.insert(binding.clone()), "{} repeats {binding:?}", method.full_name());
    }
}

#[test]
fn every_request_field_has_a_field_behavior() {
    for method in our_methods(&pool()) {
        for message in request_messages(&method) {
            for field in message.fields() {
                assert!(has_behavior(&field), "{} has no field_behavior", field.full_name());
            }
        }
    }
}

#[test]
fn every_mutation_has_a_request_id_and_no_read_has() {
    for method in our_methods(&pool()) {
        let (verb, _) = http_binding(&method).expect("checked by another test");
        let mutates = verb != "get"
            && !READS_BY_POST.contains(&method.full_name())
            && !REPEATABLE_BY_THEMSELVES.contains(&method.full_name());
        let request_id = method.input().get_field_by_name("request_id");
        assert_eq!(request_id.is_some(), mutates, "{}", method.full_name());
        assert!(request_id.is_none_or(|field| field.kind() == Kind::String), "{}", method.full_name());
    }
}

#[test]
fn where_money_moves_there_is_validate_only() {
    let pool = pool();
    let found: BTreeSet<String> = our_methods(&pool)
        .iter()
        .filter(|method| method.input().get_field_by_name("validate_only").is_some())
        .map(|method| method.full_name().to_owned())
        .collect();
    for method in MONEY_MOVES {
        assert!(found.contains(method), "{method} has no validate_only");
    }
}

#[test]
fn every_list_has_page_tokens_unless_it_says_it_has_none() {
    const WITHOUT: [&str; 4] =
        ["ListOfferedKinds", "ListRequiredFields", "ListQuotas", "ListSuspensionAcknowledgements"];
    for method in our_methods(&pool()) {
        if !method.name().starts_with("List") || WITHOUT.contains(&method.name()) {
            continue;
        }
        for field in ["page_size", "page_token"] {
            assert!(
                method.input().get_field_by_name(field).is_some(),
                "{} has no {field}",
                method.full_name()
            );
        }
        assert!(method.output().get_field_by_name("next_page_token").is_some(), "{}", method.full_name());
    }
}

#[test]
fn every_update_has_a_mask_and_a_resource_with_an_etag() {
    for method in our_methods(&pool()) {
        let (verb, _) = http_binding(&method).expect("checked by another test");
        if verb == "patch" {
            assert!(method.input().get_field_by_name("update_mask").is_some(), "{}", method.full_name());
            assert!(method.output().get_field_by_name("etag").is_some(), "{}", method.full_name());
        }
    }
}

#[test]
fn every_resource_begins_with_its_name() {
    let mut resources = 0;
    for message in pool().all_messages().filter(is_ours) {
        if extension(&message.options(), "google.api.resource").is_some() {
            resources += 1;
            let first =
                message.get_field(1).unwrap_or_else(|| panic!("{} has no field 1", message.full_name()));
            assert_eq!(first.name(), "name", "{}", message.full_name());
        }
    }
    assert!(resources > 15, "the walk finds resources");
}

#[test]
fn no_message_has_a_floating_point_field() {
    for message in pool().all_messages().filter(is_ours) {
        for field in message.fields() {
            assert!(!matches!(field.kind(), Kind::Double | Kind::Float), "{}", field.full_name());
        }
    }
}

#[test]
fn instants_and_only_instants_end_in_time() {
    for message in pool().all_messages().filter(is_ours) {
        for field in message.fields() {
            let is_instant =
                message_kind(&field).is_some_and(|m| m.full_name() == "google.protobuf.Timestamp");
            assert_eq!(is_instant, field.name().ends_with("_time"), "{}", field.full_name());
        }
    }
}

#[test]
fn comments_of_methods_name_reasons_that_exist() {
    let pool = pool();
    let reasons: BTreeSet<String> = pool
        .get_enum_by_name("florin.error.v1.ErrorReason")
        .expect("the enum of reasons")
        .values()
        .map(|value| value.name().trim_start_matches("ERROR_REASON_").to_owned())
        .collect();
    let mut checked = 0;
    for method in our_methods(&pool) {
        let file = method.parent_file().file_descriptor_proto().clone();
        let path = method.path();
        let comment = file
            .source_code_info
            .iter()
            .flat_map(|info| &info.location)
            .find(|location| location.path == path)
            .map(|location| location.leading_comments().to_owned())
            .unwrap_or_default();
        assert!(comment.contains("Errors:"), "{} does not list its errors", method.full_name());
        let words: BTreeSet<&str> = comment
            .split("Errors:")
            .nth(1)
            .unwrap_or_default()
            .lines()
            .filter_map(|line| line.split_once('(').map(|(_, rest)| rest).or(Some(line)))
            .flat_map(|line| {
                line.split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'))
            })
            .filter(|word| word.contains('_') && word.len() > 6 && !word.ends_with('_'))
            .collect();
        for word in words {
            let known = reasons.contains(word)
                || ["ACTION_REQUIRED", "FAILED_PRECONDITION", "RESOURCE_EXHAUSTED"].contains(&word);
            assert!(known, "{} names {word}", method.full_name());
            checked += 1;
        }
    }
    assert!(checked > 150, "the walk finds reasons");
}

#[test]
fn maps_encode_in_key_order() {
    let labels = |keys: &[&str]| keys.iter().map(|key| ((*key).to_owned(), String::new())).collect();
    let one = Resource { labels: labels(&["b", "a", "c"]), ..Default::default() };
    let other = Resource { labels: labels(&["c", "b", "a"]), ..Default::default() };
    assert_eq!(one.encode_to_vec(), other.encode_to_vec());
}

#[test]
fn debug_keeps_secrets() {
    let account = CreateAccountRequest { password: "hunter2hunter2".to_owned(), ..Default::default() };
    let project = CreateProjectRequest {
        funding: Some(Funding::VoucherCode("SPRING".to_owned())),
        ..Default::default()
    };
    let printed = format!("{account:?} {project:?}");
    assert!(!printed.contains("hunter2") && !printed.contains("SPRING"), "{printed}");
    assert!(printed.contains("[redacted]") && printed.contains("VoucherCode"), "{printed}");
}
