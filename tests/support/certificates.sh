#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# certificates.sh DIR: make two CAs and certificates of every kind that the tests of tls need, as DIR/NAME.pem and DIR/NAME.key.
set -euo pipefail
export LC_ALL=C
umask 077
mkdir -p "$1"
cd "$1"

cat >ca.cnf <<'END'
[req]
distinguished_name = none
[none]
[ca]
x509_extensions = v3_ca
[v3_ca]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[signer]
new_certs_dir = .
database = index.txt
unique_subject = no
rand_serial = yes
default_md = sha256
policy = anything
[anything]
commonName = optional
END
: >index.txt

# root NAME: a CA that has signed itself.
root() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" -out "$1.pem" \
		-subj "/CN=$1" -days 3650 -config ca.cnf -extensions v3_ca 2>/dev/null
}

# issue NAME SUBJECT EXTENSIONS [CA [BEGIN END]]: a key, and a certificate by that CA. EXTENSIONS are lines of a config.
issue() {
	local ca=${4:-ca} begin=${5:-20200101000000Z} end=${6:-20991231235959Z}
	printf '%b\n' "$3" >"$1.ext"
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" -out "$1.csr" \
		-subj "$2" -config ca.cnf 2>/dev/null
	openssl ca -batch -notext -config ca.cnf -name signer -cert "$ca.pem" -keyfile "$ca.key" -in "$1.csr" -out "$1.pem" \
		-extfile "$1.ext" -startdate "$begin" -enddate "$end" 2>/dev/null
}

at_home='DNS:localhost,IP:127.0.0.1,IP:::1'
root ca
root other-ca
issue server /CN=server "subjectAltName=$at_home,URI:spiffe://example.org/server"
issue renewed /CN=server "subjectAltName=$at_home,URI:spiffe://example.org/renewed"
issue client /CN=client "subjectAltName=URI:spiffe://example.org/client"
issue dns /CN=somebody "subjectAltName=DNS:client.example.org"
issue common /CN=alice "basicConstraints=CA:false"
issue wildcard /CN=w "subjectAltName=DNS:*.example.org"
issue elsewhere /CN=server "subjectAltName=DNS:elsewhere.example.org"
issue expired /CN=old "subjectAltName=$at_home" ca 20200101000000Z 20200201000000Z
issue future /CN=new "subjectAltName=$at_home" ca 20950101000000Z 20951231235959Z
issue foreign /CN=foreign "subjectAltName=$at_home" other-ca
issue purpose /CN=purpose "subjectAltName=$at_home\nextendedKeyUsage=serverAuth"
issue nul /CN=nul "subjectAltName=DER:30:05:82:03:61:00:62"
issue control /CN=control "subjectAltName=DER:30:05:86:03:61:0a:62"
issue between /CN=between "basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign"
issue below /CN=below "subjectAltName=$at_home,URI:spiffe://example.org/below" between
cat below.pem between.pem >chain.pem
cp below.key chain.key
issue faded /CN=faded "basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign" ca 20200101000000Z 20200201000000Z
issue stale-end /CN=stale "subjectAltName=$at_home" faded
cat stale-end.pem faded.pem >stale.pem
cp stale-end.key stale.key
issue forged-end /CN=forged "subjectAltName=$at_home" server
cat forged-end.pem server.pem >forged.pem
cp forged-end.key forged.key
issue caller /CN=caller "subjectAltName=$at_home\nextendedKeyUsage=clientAuth"
issue number /CN=127.0.0.1 "basicConstraints=CA:false"
openssl pkey -in server.key -aes256 -passout pass:secret -out encrypted.key
