// `pnpm demo:cloudflare`: the story in workerd, with D1 and Queues, run by `wrangler dev`. `--short` is for tests.
import { cloudflareStage } from './stage-cloudflare.ts'
import { runStory } from './telling.ts'

await runStory(cloudflareStage({ short: process.argv.includes('--short') }))
