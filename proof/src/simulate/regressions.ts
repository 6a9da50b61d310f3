import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Story } from './story.ts'

const FOLDER = fileURLToPath(new URL('regressions', import.meta.url))

/** Stories that broke a rule once: run first in every run. */
export function readRegressions(): { file: string; story: Story }[] {
  mkdirSync(FOLDER, { recursive: true })
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => ({ file, story: JSON.parse(readFileSync(`${FOLDER}/${file}`, 'utf8')) as Story }))
}

/** Stores a story; returns the name of its file. */
export function writeRegression(story: Story): string {
  const text = `${JSON.stringify(story, undefined, 2)}\n`
  const file = `${story.world}-${createHash('sha256').update(text).digest('hex').slice(0, 8)}.json`
  writeFileSync(`${FOLDER}/${file}`, text)
  return file
}
