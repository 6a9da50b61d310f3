import { gzipSync } from 'node:zlib'
import { answerAndExit } from '../answer.ts'
import { openDatabase } from '../history/open.ts'
import { fillHistory } from '../history/fill.ts'
import { openPages } from '../pages/open-pages.ts'
import { PAGES } from '../pages/paths.ts'
import type { PagesAsk, PagesFound } from '../workloads/pages.ts'

process.stdin.resume().once('end', () => process.exit(1))

const { on, place, attempts, repetitions } = JSON.parse(process.argv[2] ?? '{}') as PagesAsk
const WARM_UP = 5

const { db, vacuum } = await openDatabase(on, place)
await fillHistory(db, attempts)
const { engine, textOf } = await openPages(db)
while ((await engine.worker.maintain()).more);
await vacuum()

const found: PagesFound = { pages: Object.fromEntries(PAGES.map(({ name }) => [name, { ms: [], bytes: 0 }])) }
for (let at = -WARM_UP; at < repetitions; at++) {
  for (const bench of PAGES) {
    const start = performance.now()
    const text = await textOf(bench, at + WARM_UP)
    const ms = performance.now() - start
    const page = found.pages[bench.name]
    if (at < 0 || !page) continue
    page.ms.push(ms)
    page.bytes = Math.max(page.bytes, gzipSync(text).length)
  }
}
answerAndExit(found)
