import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { PATIENCE_MS, temporaryFile } from './rig.ts'

const SYNCS = 'fsync,fdatasync'

/** Runs the process under strace, which makes its system calls fail; returns its report and the number of syncs. */
async function run(file: string, fault: string[]): Promise<{ told: string; syncs: number }> {
  const { error, stderr } = spawnSync('strace', ['-o', '/dev/null', 'true'], { encoding: 'utf8' })
  if (error) throw new Error(`this test makes a disk fail by strace: apt-get install strace. ${stderr ?? ''}`)
  const trace = temporaryFile('trace')
  const script = fileURLToPath(new URL('fsync-process.ts', import.meta.url))
  const node = [process.execPath, '--conditions=@keepsend/source', script, file]
  const strace = ['-f', '-e', `trace=${SYNCS}`, '-e', 'signal=none', '-o', trace, ...fault]
  const child = spawn('strace', [...strace, ...node], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const [[told]] = (await Promise.all([once(child, 'message'), once(child, 'exit')])) as [[string], unknown]
  const calls = readFileSync(trace, 'utf8').split('\n')
  return { told, syncs: calls.filter((call) => /\bf(data)?sync\(/.test(call)).length }
}

// Only Linux has strace.
describe.runIf(process.platform === 'linux')('a disk that fails to sync a commit', { timeout: PATIENCE_MS }, () => {
  it('makes the commit unconfirmed: it may be there when the process has died', async () => {
    const well = await run(temporaryFile(), [])
    expect(well.told).toBe('ok')
    expect(well.syncs).toBeGreaterThan(2)

    const file = temporaryFile()
    // Again, with a failing sync of the last commit.
    const failed = await run(file, ['-e', `inject=${SYNCS}:error=EIO:when=${well.syncs}`])
    expect(failed.told).toBe('commit_unconfirmed')
    const connection = new Database(file)
    onTestFinished(() => void connection.close())
    // So "nothing was committed" would have been wrong.
    expect(connection.prepare('select name from kept').pluck().all()).toEqual(['before', 'last'])
  })
})
