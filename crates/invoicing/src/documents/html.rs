//! A document in HTML: one page without scripts and without anything to load.

use florin_platform::html::escaped;

use super::sheet::{Item, Sheet, Sum};

const STYLE: &str = "body{font-family:sans-serif;max-width:56em;margin:3em auto;color:#222}\
    table{border-collapse:collapse;width:100%;margin:1em 0}td,th{padding:.4em .6em;text-align:left;vertical-align:top}\
    .items tr,.sums tr{border-top:1px solid #ccc}.items td:last-child,.items th:last-child,.sums td:last-child\
    {text-align:right;white-space:nowrap}.total{font-weight:bold}.parties td{width:50%;white-space:pre-line}\
    small{color:#555}";

pub(super) fn written(sheet: &Sheet) -> String {
    let [(seller, seller_text), (buyer, buyer_text)] = &sheet.parties;
    let [description, period, quantity, net] = sheet.columns;
    let facts = sheet.facts.iter().map(|(name, value)| row(&[name, value])).collect::<String>();
    let items = sheet.items.iter().map(item).collect::<String>();
    let sums = sheet.sums.iter().map(sum).collect::<String>();
    let mentions = sheet.mentions.iter().map(|text| format!("<p><small>{}</small></p>\n", escaped(text)));
    format!(
        "<!DOCTYPE html>\n<html lang=\"{language}\">\n<head><meta charset=\"utf-8\"><title>{title}</title>\
         <style>{STYLE}</style></head>\n<body>\n<h1>{title}</h1>\n<table class=\"parties\"><tr><th>{seller}</th>\
         <th>{buyer}</th></tr>\n<tr><td>{seller_text}</td><td>{buyer_text}</td></tr></table>\n<table>\n{facts}</table>\n\
         <table class=\"items\">\n<tr><th></th><th>{description}</th><th>{period}</th><th>{quantity}</th><th>{net}</th>\
         </tr>\n{items}</table>\n<table class=\"sums\">\n{sums}</table>\n{mentions}</body>\n</html>\n",
        language = escaped(&sheet.language),
        title = escaped(&sheet.title),
        seller_text = escaped(seller_text),
        buyer_text = escaped(buyer_text),
        mentions = mentions.collect::<String>(),
    )
}

fn row(cells: &[&str]) -> String {
    let cells = cells.iter().map(|cell| format!("<td>{}</td>", escaped(cell))).collect::<String>();
    format!("<tr>{cells}</tr>\n")
}

fn item(item: &Item) -> String {
    let (number, net) = (item.number.to_string(), item.net.to_string());
    row(&[&number, &item.description, &item.period, &item.quantity, &net])
}

fn sum(sum: &Sum) -> String {
    let class = if sum.is_total { " class=\"total\"" } else { "" };
    format!("<tr{class}><td>{}</td><td>{}</td></tr>\n", escaped(&sum.label), escaped(&sum.amount))
}
