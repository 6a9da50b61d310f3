// `wrangler dev` at the head of a process group, so that wrangler, its bundler and workerd end together: killed, or
// because their parent is gone. argv: the arguments of the command.
import { fork } from 'node:child_process'
import { wranglerFile, wranglerFolder } from './wrangler.ts'

process.once('disconnect', endGroup)
const wrangler = fork(wranglerFile, ['dev', ...process.argv.slice(2)], {
  cwd: wranglerFolder,
  execArgv: [],
  stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
})
wrangler.on('message', (message) => {
  const { event, ip, port } = JSON.parse(message as string) as { event: string; ip: string; port: number }
  if (event === 'DEV_SERVER_READY') process.send?.({ url: `http://${ip}:${port}` })
})
wrangler.once('exit', endGroup)

function endGroup(): void {
  process.kill(-process.pid, 'SIGKILL')
}
