//! Compiles `proto/` with protox: no `protoc` on the machine, nothing generated in the repository.
//!
//! Every file under `proto/` is compiled; a new package needs no change here. Messages with `debug_redact` fields
//! get a `Debug` that keeps their secrets, so that a message can be logged without a thought.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use protox::prost_reflect::{DescriptorPool, FieldDescriptor, MessageDescriptor};

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(set_by_cargo("CARGO_MANIFEST_DIR")?).join("../..");
    let own = root.join("proto");
    let third_party = root.join("third_party");
    let out_dir = PathBuf::from(set_by_cargo("OUT_DIR")?);

    println!("cargo:rerun-if-changed={}", own.display());
    println!("cargo:rerun-if-changed={}", third_party.display());

    let mut compiler = protox::Compiler::new([&own, &third_party])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(proto_files(&own)?)?;
    // Imported by none of ours, needed by everybody who decodes an error through reflection or Envoy.
    compiler.open_file(third_party.join("google/rpc/error_details.proto"))?;
    compiler.open_file(third_party.join("google/rpc/status.proto"))?;

    // protox's own encoding keeps custom options (google.api.http); prost_types would drop them.
    fs::write(out_dir.join("descriptor.bin"), compiler.encode_file_descriptor_set())?;

    let secretive = messages_with_secrets(&compiler.descriptor_pool());
    fs::write(out_dir.join("redacted.rs"), redacted_debug(&secretive)?)?;

    let mut files = compiler.file_descriptor_set();
    // Only options are made of google.api, and options are for readers of the descriptor set.
    files.file.retain(|file| file.package() != "google.api");

    // Events carry their own type's full name into the outbox.
    let mut named = tonic_prost_build::Config::new();
    named.enable_type_names();

    let mut builder = tonic_prost_build::configure();
    // `skip_debug` of a message takes `Debug` from the enums inside it, too: give it back.
    for inner in secretive.iter().flat_map(MessageDescriptor::child_enums) {
        builder = builder.enum_attribute(format!(".{}", inner.full_name()), "#[derive(Debug)]");
    }
    builder
        .extern_path(".google.rpc", "::tonic_types::pb")
        // Maps encode in key order, so that the same message is always the same bytes.
        .btree_map(".")
        .disable_comments([".google"])
        .skip_debug(secretive.iter().map(|message| format!(".{}", message.full_name())))
        .include_file("packages.rs")
        .compile_fds_with_config(files, named)?;
    Ok(())
}

/// What cargo says when the script runs, not when it was compiled: clones may share compiled scripts.
#[expect(clippy::disallowed_methods, reason = "cargo hands a build script its settings in the environment")]
fn set_by_cargo(name: &str) -> Result<String, env::VarError> {
    env::var(name)
}

/// All `.proto` files under `dir`, sorted, so that the descriptor set is the same on every machine.
fn proto_files(dir: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut found = Vec::new();
    let mut directories = vec![dir.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "proto") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Our messages that have at least one `debug_redact` field.
fn messages_with_secrets(pool: &DescriptorPool) -> Vec<MessageDescriptor> {
    pool.all_messages()
        .filter(|message| message.package_name().starts_with("florin."))
        .filter(|message| message.fields().any(|field| is_secret(&field)))
        .collect()
}

fn is_secret(field: &FieldDescriptor) -> bool {
    field.options().get_field_by_name("debug_redact").is_some_and(|value| value.as_bool() == Some(true))
}

/// `Debug` for these messages and their oneofs, as prost would derive it but for the secrets.
fn redacted_debug(messages: &[MessageDescriptor]) -> Result<String, std::fmt::Error> {
    let mut code = String::new();
    for message in messages {
        let package = format!("crate::generated::{}", message.package_name().replace('.', "::"));
        let name = message.name();
        let mut shown = String::new();
        for field in
            message.fields().filter(|field| field.containing_oneof().is_none_or(|o| o.is_synthetic()))
        {
            let field_name = field.name();
            let value = if is_secret(&field) {
                "&\"[redacted]\"".to_owned()
            } else if field.kind().as_enum().is_some() && !field.is_list() {
                format!("&self.{field_name}()")
            } else {
                format!("&self.{field_name}")
            };
            writeln!(shown, ".field({field_name:?}, {value})")?;
        }
        for oneof in message.oneofs().filter(|oneof| !oneof.is_synthetic()) {
            let oneof_name = oneof.name();
            writeln!(shown, ".field({oneof_name:?}, &self.{oneof_name})")?;

            let mut arms = String::new();
            for field in oneof.fields() {
                let variant = upper_camel(field.name());
                if is_secret(&field) {
                    writeln!(
                        arms,
                        "Self::{variant}(_) => f.debug_tuple({variant:?}).field(&\"[redacted]\").finish(),"
                    )?;
                } else {
                    writeln!(
                        arms,
                        "Self::{variant}(value) => f.debug_tuple({variant:?}).field(value).finish(),"
                    )?;
                }
            }
            let target = format!("{package}::{}::{}", snake(name), upper_camel(oneof_name));
            write_impl(&mut code, &target, &format!("match self {{\n{arms}}}"))?;
        }
        write_impl(
            &mut code,
            &format!("{package}::{name}"),
            &format!("f.debug_struct({name:?})\n{shown}.finish()"),
        )?;
    }
    Ok(code)
}

fn write_impl(code: &mut String, target: &str, body: &str) -> std::fmt::Result {
    writeln!(
        code,
        "impl ::core::fmt::Debug for {target} {{\n\
         fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {{\n{body}\n}}\n}}"
    )
}

/// `voucher_code` to `VoucherCode`, as prost names variants.
fn upper_camel(name: &str) -> String {
    name.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

/// `CreateProjectRequest` to `create_project_request`, as prost names modules.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    for (index, character) in name.char_indices() {
        if index > 0 && character.is_uppercase() {
            snake.push('_');
        }
        snake.extend(character.to_lowercase());
    }
    snake
}
