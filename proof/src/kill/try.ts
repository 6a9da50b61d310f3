import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundleProcesses } from './bundle.ts'
import { runRound } from './round.ts'
import { sqliteStore } from './store.ts'
const bundles = await bundleProcesses()
const folder = mkdtempSync(join(tmpdir(), 'keepsend-proof-'))
const processes = new Set<any>()
const t = performance.now()
try {
const mutant = process.argv[4] as any
const tally = await runRound({ seed: 1, kills: Number(process.argv[2]), apps: Number(process.argv[3]), folder, bundles, processes, store: sqliteStore(folder), onKill() { console.log('kill', Math.round(performance.now() - t)) }, ...(mutant && {mutant}) })
console.log({ ...tally, recoveryMs: tally.recoveryMs.length }, performance.now() - t)
} finally { for (const p of processes) p.kill('SIGKILL'); bundles.remove() }
