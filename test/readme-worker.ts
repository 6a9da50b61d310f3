import { spawn } from 'node:child_process'
import { writeFileSync, cpSync, mkdirSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { cleanEnvironment, run } from './consumer.ts'

/** What a command said, and how it ended. */
type Ran = ReturnType<typeof run>

/** A README's Worker in the hands of somebody who follows the README: the folder that holds it, and its wrangler. */
export interface ReadmeWorker {
  /** Our migrations beside the reader's own, applied to a local database; the key that the README asks for. */
  migrate(ownTable: string): Ran
  /** Bundled as for a deployment, and sent nowhere. */
  bundle(): Ran
  /** Served by workerd, offline, until `use` has ended. */
  serve<Result>(use: (url: string) => Promise<Result>): Promise<Result>
}

/** @param root the consumer's folder, where the package is installed */
export function readmeWorker(root: string, folder: string, name: string): ReadmeWorker {
  const cwd = join(root, folder)
  // The workspace's own: the version that the tests run with, and nothing of ours.
  const wrangler = join(process.cwd(), folder, 'node_modules/.bin/wrangler')
  const apply = () => run(wrangler, ['d1', 'migrations', 'apply', 'DB', '--local'], cwd)
  return {
    migrate(ownTable) {
      const migrations = join(cwd, 'migrations')
      mkdirSync(migrations, { recursive: true })
      cpSync(join(root, 'node_modules', name, 'migrations'), migrations, { recursive: true })
      writeFileSync(join(migrations, '0001_own.sql'), ownTable)
      writeFileSync(join(cwd, '.dev.vars'), `KEEPSEND_SECRET_KEY=${cleanEnvironment()['KEEPSEND_SECRET_KEY']}\n`)
      return apply()
    },
    bundle: () => run(wrangler, ['deploy', '--dry-run', '--outdir', 'bundle'], cwd),
    async serve(use) {
      // A group of its own, so that workerd ends with it.
      const dev = spawn(
        wrangler,
        ['dev', '--port', '0', '--inspector-port', '0', '--show-interactive-dev-session=false'],
        {
          cwd,
          env: cleanEnvironment(),
          stdio: ['ignore', 'pipe', 'pipe'],
          detached: true,
        },
      )
      const said: string[] = []
      try {
        return await use(
          await new Promise<string>((resolve, reject) => {
            for (const stream of [dev.stdout, dev.stderr]) {
              createInterface(stream).on('line', (line) => {
                said.push(line)
                const url = /Ready on (http:\S+)/.exec(line)?.[1]
                if (url !== undefined) resolve(url)
              })
            }
            dev.on('exit', () => reject(new Error(`wrangler dev ended\n${said.join('\n')}`)))
          }),
        )
      } finally {
        if (dev.pid !== undefined && dev.exitCode === null) process.kill(-dev.pid, 'SIGKILL')
      }
    },
  }
}
