import { describe, expect, it } from 'vitest'
import { hostsOf, memberHosts } from '../../scripts/support/hosts.js'
import { assertLoopback } from './loopback.js'

describe('a connection string', () => {
  it.each([
    'mongodb://127.0.0.1:27017/',
    'mongodb://127.8.8.8',
    'mongodb://localhost/leadline?retryWrites=false',
    'mongodb://LOCALHOST:27018',
    'mongodb://[::1]:27017/leadline',
    'mongodb://[0:0:0:0:0:0:0:1]',
    'mongodb://[::ffff:127.0.0.1]',
    'mongodb://127.0.0.1:27017,localhost:27018,[::1]:27019/?replicaSet=rs',
    'mongodb://user:secret@127.0.0.1/?authSource=admin',
    'mongodb://db.example.com:secret@localhost',
    'mongodb://%2Ftmp%2Fmongodb-27017.sock/leadline',
  ])('that stays on this machine: %s', uri => {
    expect(() => assertLoopback(hostsOf(uri))).not.toThrow()
  })

  it.each([
    'mongodb://db.example.com/',
    'mongodb://192.168.1.20:27017',
    'mongodb://0.0.0.0:27017',
    'mongodb://[::]:27017',
    'mongodb://[::ffff:10.0.0.1]',
    'mongodb://localhost.example.com',
    'mongodb://127.0.0.1.example.com',
    'mongodb://localhost%2eexample.com',
    'mongodb://localhost@db.example.com/',
    'mongodb://localhost:27017@db.example.com/',
    'mongodb://127.0.0.1,db.example.com:27017/',
    'mongodb://db.example.com,localhost/',
    'mongodb://localhost/?proxyHost=db.example.com',
    'mongodb+srv://cluster0.example.mongodb.net/',
    'mongodb+srv://localhost/',
  ])('that leads elsewhere: %s', uri => {
    expect(() => assertLoopback(hostsOf(uri))).toThrow('is not this machine')
  })

  it.each([
    'http://127.0.0.1/',
    'mongodb://',
    'mongodb://user:sec@ret@127.0.0.1/',
    'mongodb://sec#ret@127.0.0.1/',
  ])('that the driver refuses is refused without repeating it: %s', uri => {
    expect(() => hostsOf(uri)).toThrow(/^MONGO_URI is not a connection string that the driver can read$/)
  })

  it('is described without its credentials', () => {
    const hosts = hostsOf('mongodb://admin:secret@localhost:27018,[::1]/leadline?authSource=admin')

    expect(hosts.map(host => host.name)).toEqual(['localhost:27018', '[::1]:27017'])
  })
})

describe('the members of a replica set', () => {
  it('are all on this machine', () => {
    expect(() =>
      assertLoopback(memberHosts(['Localhost:27017', '127.0.0.1:27018', '[::1]:27019'])),
    ).not.toThrow()
  })

  it('are not when one is elsewhere', () => {
    expect(() => assertLoopback(memberHosts(['localhost:27017', 'db.example.com:27017']))).toThrow(
      'Tests do not run against db.example.com:27017',
    )
  })
})
