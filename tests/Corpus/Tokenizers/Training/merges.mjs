// Trains a byte-level BPE with the library that tokenizer.json comes from, and writes its merges in order, one a line:
//
//   npm install tokenizers@0.23.2 && node merges.mjs text.txt merges.txt
//
// The default trainer makes up to 30,000 tokens and joins pairs that occur once, too: more than the test compares.

import library from 'tokenizers';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';

const tokenizer = new library.Tokenizer(library.BPE.empty());
tokenizer.setPreTokenizer(library.byteLevelPreTokenizer(false));
tokenizer.train([process.argv[2]]);
const file = join(mkdtempSync(join(tmpdir(), 'bpe-')), 'tokenizer.json');
tokenizer.save(file, false);
const { merges } = JSON.parse(readFileSync(file, 'utf8')).model;
writeFileSync(process.argv[3], merges.map(m => (Array.isArray(m) ? m.join(' ') : m) + '\n').join(''));
