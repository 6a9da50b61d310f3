// `wrangler dev` as a process of the demo, with the arguments of the command. It heads a process group, so that wrangler, its
// bundler and workerd end together, by a kill or when the parent is gone. MIGRATE: the folder of a D1 without tables.
import { fork } from 'node:child_process'
import type { Ready } from './child.ts'
import { appFolder, migrateLocally, wranglerFile } from './wrangler.ts'

process.once('disconnect', endGroup)
const folder = process.env['MIGRATE']
if (folder !== undefined) await migrateLocally(folder)

const args = ['dev', ...process.argv.slice(2)]
const wrangler = fork(wranglerFile, args, {
  cwd: appFolder,
  execArgv: [],
  stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
})
wrangler.on('message', (message) => {
  const { event, ip, port } = JSON.parse(message as string) as { event: string; ip: string; port: number }
  if (event === 'DEV_SERVER_READY') process.send?.({ url: `http://${ip}:${port}` } satisfies Ready)
})
wrangler.once('exit', (code) => {
  console.error(`wrangler dev ended by itself: ${code}`)
  endGroup()
})

function endGroup(): void {
  process.kill(-process.pid, 'SIGKILL')
}
