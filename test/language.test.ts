import { globSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { phrasesIn } from './phrases.ts'

const GENERATED = ['**/node_modules/**', '**/dist/**', '**/CHANGELOG.md']

const texts = globSync(
  [
    'packages/*/src/**/*.ts',
    'packages/*/migrations/**/*.sql',
    'docs/**/*.md',
    '{README,ARCHITECTURE,CONTRIBUTING,SECURITY}.md',
    '{packages,apps,examples}/*/README.md',
    '{proof,bench}/*.md',
    '.changeset/*.md',
  ],
  { exclude: GENERATED },
).sort()

it('sources and pages use the terms of the field, and begin no sentence with What, Whoever or Whom', () => {
  expect(texts.length).toBeGreaterThan(300)
  const found = texts.flatMap((file) => phrasesIn(readFileSync(file, 'utf8')).map((phrase) => `${file}:${phrase}`))
  expect(found).toEqual([])
})

it.each([
  ['rows are let out again', ['1: let out']],
  ['it lets each row out', ['1: lets each row out']],
  ['they are put aside; others were\n * kept\n * aside', ['1: put aside', '2: kept aside']],
  ['un-hold and unheld', ['1: un-hold', '1: unheld']],
  ['a claim is given back, and gives it back', ['1: given back', '1: gives it back']],
  ['what fell\n// through', ['1: fell through']],
  ['in hand, under way, hand-off, handed off', ['1: in hand', '1: under way', '1: hand-off', '1: handed off']],
  ['Upkeep buried the charged and the uncharged', ['1: Upkeep', '1: buried', '1: charged', '1: uncharged']],
  [
    'a verdict on a journey\nat once, whoever, to whom',
    ['1: verdict', '1: journey', '2: at once', '2: whoever', '2: whom'],
  ],
  ['/** What it is. */', ['1: What …']],
  ['# What it does\n\n- Whoever asks', ['1: What …', '3: Whoever …', '3: Whoever']],
  ['It is. What next', ['1: What …']],
  ['| What |', ['1: What …']],
  ['discharged, shorthand offered, the outbox lets in, what is, a flat once, somewhat', []],
])('of %j these are found: %j', (text, found) => {
  expect(phrasesIn(text).sort()).toEqual([...found].sort())
})
