// `wrangler dev` as a process of the demo: its arguments are those of the command. Started as the head of a process
// group, so that wrangler, its bundler and workerd end together: killed, or because whoever started them is gone.
// MIGRATE: the folder of a D1 that has no tables yet.
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
