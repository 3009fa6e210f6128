// Parquet and Arrow by other implementations than Elastic's: arrow-rs (Rust, the npm package parquet-wasm) and Apache Arrow in JavaScript.
//
//   node tables.mjs write FOLDER              files of one table in many forms, and its texts in FOLDER/expected.json
//   node tables.mjs read TABLE.parquet        the rows of a table, a JSON object a line
import { readFileSync, writeFileSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

// The packages lie where the script that calls this one has put them.
const require = createRequire(pathToFileURL(join(process.cwd(), 'package.json')));
const arrow = require('apache-arrow');
const parquet = require('parquet-wasm');

const ROWS = 700;

// Nulls, an empty text, repeated ones, shared beginnings (for DELTA_BYTE_ARRAY), one of 300 KB, letters of one to four bytes.
const textOf = i => i % 7 === 3 ? null : i === 8 ? '' : i === 20 ? `long ${'0123456789 '.repeat(27000)}end`
    : i % 5 === 0 ? 'a text that many rows have' : `row ${String(i).padStart(6, '0')} é 日本 😀 of ${i % 11}`;

function table(type) {
    const { Field, Struct, List, Utf8, Int32, Int64, Bool } = arrow;
    const rows = [...Array(ROWS).keys()];
    const vector = (of, values) => arrow.vectorFromArray(values, of);
    return new arrow.Table({
        id: vector(new Int64(), rows.map(BigInt)),
        // Two levels of nesting before the text: its column is not the first one, and others repeat and define differently.
        meta: vector(new Struct([
            Field.new('lengths', new List(Field.new('item', new Int32(), true)), true),
            Field.new('text', new Utf8(), true)]),
            rows.map(i => i % 3 === 0 ? null : { lengths: i % 4 === 0 ? [] : [i, null, i + 1], text: `not this one ${i}` })),
        text: vector(type, rows.map(textOf)),
        tags: vector(new List(Field.new('item', new Utf8(), true)), rows.map(i => i % 2 ? ['a', null, `b${i}`] : null)),
        flag: vector(new Bool(), rows.map(i => i % 2 === 0)),
        url: vector(new Utf8(), rows.map(i => `http://a.example/${i}`)),
    });
}

function write(folder) {
    mkdirSync(folder, { recursive: true });
    const plain = arrow.tableToIPC(table(new arrow.Utf8()), 'stream');
    const files = [];
    const { Compression, Encoding, WriterVersion, WriterPropertiesBuilder } = parquet;
    for (const codec of ['UNCOMPRESSED', 'SNAPPY', 'GZIP', 'BROTLI', 'ZSTD', 'LZ4', 'LZ4_RAW'])
        for (const encoding of ['dictionary', 'PLAIN', 'DELTA_LENGTH_BYTE_ARRAY', 'DELTA_BYTE_ARRAY'])
            for (const version of ['V1', 'V2']) {
                let properties = new WriterPropertiesBuilder().setCompression(Compression[codec]).setWriterVersion(WriterVersion[version])
                    .setMaxRowGroupSize(256).setDataPageSizeLimit(4096).setWriteBatchSize(64)
                    .setDictionaryEnabled(encoding === 'dictionary').setDictionaryPageSizeLimit(2000);
                if (encoding !== 'dictionary')
                    properties = properties.setColumnEncoding('text', Encoding[encoding]);
                const name = `${codec}-${encoding}-${version}.parquet`;
                writeFileSync(join(folder, name), parquet.writeParquet(parquet.Table.fromIPCStream(plain), properties.build()));
                files.push(name);
            }
    const types = {
        utf8: new arrow.Utf8(), 'large-utf8': new arrow.LargeUtf8(),
        dictionary: new arrow.Dictionary(new arrow.Utf8(), new arrow.Int32()),
    };
    for (const [name, type] of Object.entries(types))
        for (const form of ['stream', 'file']) {
            files.push(`${name}-${form}.arrow`);
            writeFileSync(join(folder, files.at(-1)), arrow.tableToIPC(table(type), form));
        }
    const texts = [...Array(ROWS).keys()].map(textOf).filter(t => t !== null && t.length > 0);
    // Files of Arrow by this library lack the schema in front that the format wants: they are refused, with a sentence.
    const refused = files.filter(f => f.endsWith('-file.arrow'));
    writeFileSync(join(folder, 'expected.json'), JSON.stringify({ files, refused, texts }));
    console.log(`${files.length} files of ${texts.length} texts`);
}

function read(path) {
    const rows = arrow.tableFromIPC(parquet.readParquet(readFileSync(path)).intoIPCStream());
    for (const row of rows)
        console.log(JSON.stringify(row.toJSON(), (_, value) => typeof value === 'bigint' ? Number(value) : value));
}

const [, , command, place] = process.argv;
({ write, read })[command](place);
