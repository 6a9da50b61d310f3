import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { git, titleOf } from './git.ts'

// A cold store has to fetch several hundred packages.
const INSTALL_MS = 600_000

/**
 * Another commit in a folder of its own, outside this tree so that no tool of this tree reads it; its dependencies are
 * those of its lockfile. It is removed when this process exits.
 */
export async function checkOut(commit: string): Promise<string> {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'keepsend-against-'))
  process.once('exit', () => remove(folder))
  // Without hooks: a person's checkout hook is not meant for this folder.
  git('-c', 'core.hooksPath=/dev/null', 'worktree', 'add', '--quiet', '--detach', folder, commit)
  await install(folder, commit)
  return folder
}

function remove(folder: string): void {
  try {
    git('worktree', 'remove', '--force', folder)
  } catch {
    // Git does not know the folder yet, or a process was still writing into it.
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

async function install(folder: string, commit: string): Promise<void> {
  // In a process group of its own, so that its child processes can be ended with it.
  const child = spawn('npx', ['-y', 'pnpm@12', 'install', '--frozen-lockfile'], {
    cwd: folder,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const end = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    } catch {
      // It has ended by itself.
    }
  }
  // Before the folder is removed, or the install would write into it again.
  process.prependOnceListener('exit', end)
  const timer = setTimeout(end, INSTALL_MS)
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2000)))
  }
  try {
    const [code, signal] = await once(child, 'close')
    if (code !== 0) {
      const how = `pnpm install --frozen-lockfile ended with ${code ?? signal}`
      throw new Error(`${titleOf(commit)}: ${how}\n${said.trim()}`)
    }
  } finally {
    clearTimeout(timer)
    process.off('exit', end)
  }
}
