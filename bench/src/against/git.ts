// Git queries of a comparison, in the repository of this file.
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../../', import.meta.url))

/** Runs git in this tree; returns its output. Throws with its error output. */
export function git(...args: string[]): string {
  return execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim()
}

/** The commit that a ref names. */
export function commitOf(ref: string): string {
  try {
    return git('rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`)
  } catch (error) {
    throw new Error(`--against ${ref}: there is no such commit; give a branch, a tag or a hash of this repository`, {
      cause: error,
    })
  }
}

/** A file as it is in a commit; undefined if the commit has none. */
export function fileAt(commit: string, path: string): string | undefined {
  try {
    return git('show', `${commit}:${path}`)
  } catch {
    return undefined
  }
}

/** A commit's short hash and subject. */
export function titleOf(commit: string): string {
  return git('log', '-1', '--format=%h %s', commit)
}

/** Whether the tree has changes that are in no commit, new files included. */
export function isDirty(): boolean {
  return git('status', '--porcelain') !== ''
}
