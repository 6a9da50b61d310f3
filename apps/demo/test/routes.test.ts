import { openApp } from './app.ts'
import { describeEveryRoute, routesOf } from './walk.ts'

describeEveryRoute(await routesOf(openApp), openApp)
